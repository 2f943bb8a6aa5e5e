/* A mail server that accepts everything and keeps nothing, fast enough never to be what is measured.
 *
 *     sink        listens on a free port of 127.0.0.1, prints it, and ends when its standard input does
 *
 * Replies to commands that came in one read leave in one write, as Postfix does it. A line may end with a
 * bare LF: nc and telnet at a terminal send that. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 1 << 20 };

struct talk {
    int socket;
    int body;         /* after 354 */
    int fresh;        /* `in` begins where the message does */
    size_t have;      /* bytes in `in` */
    size_t pending;   /* bytes in `out` */
    char out[8192];
    char in[ROOM];
};

static void say(struct talk *t, const char *text) {
    size_t length = strlen(text);
    if (t->pending + length <= sizeof t->out) {
        memcpy(t->out + t->pending, text, length);
        t->pending += length;
    }
}

static int flush_replies(struct talk *t) {
    for (size_t done = 0; done < t->pending;) {
        ssize_t count = send(t->socket, t->out + done, t->pending - done, MSG_NOSIGNAL);
        if (count <= 0)
            return -1;
        done += (size_t)count;
    }
    t->pending = 0;
    return 0;
}

/* One command; 0 after QUIT. */
static int command(struct talk *t, const char *line) {
    if (!strncasecmp(line, "EHLO", 4))
        say(t, "250-sink.test\r\n250-PIPELINING\r\n250-SIZE 1073741824\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n");
    else if (!strncasecmp(line, "DATA", 4)) {
        say(t, "354 End data with <CR><LF>.<CR><LF>\r\n");
        t->body = t->fresh = 1;
    } else if (!strncasecmp(line, "QUIT", 4)) {
        say(t, "221 2.0.0 Bye\r\n");
        return 0;
    } else
        say(t, "250 2.0.0 Ok\r\n");
    return 1;
}

/* Where the message ends in the first `have` bytes (behind the final dot), or 0. */
static size_t end_of_body(const struct talk *t) {
    const char *from = t->in, *end = t->in + t->have;
    while ((from = memchr(from, '.', (size_t)(end - from)))) {
        int start = from == t->in ? t->fresh : from[-1] == '\n';
        if (start && end - from >= 3 && from[1] == '\r' && from[2] == '\n')
            return (size_t)(from + 3 - t->in);
        if (start && end - from >= 2 && from[1] == '\n')
            return (size_t)(from + 2 - t->in);
        from++;
    }
    return 0;
}

static void drop(struct talk *t, size_t count) {
    t->have -= count;
    memmove(t->in, t->in + count, t->have);
}

static int handle(struct talk *t) {
    for (;;) {
        if (t->body) {
            size_t end = end_of_body(t);
            if (!end) {
                /* Keep what may be the beginning of the end. */
                if (t->have > 4) {
                    drop(t, t->have - 4);
                    t->fresh = 0;
                }
                return 1;
            }
            drop(t, end);
            t->body = 0;
            say(t, "250 2.0.0 Ok: taken\r\n");
            continue;
        }
        char *end = memchr(t->in, '\n', t->have);
        if (!end)
            return t->have < sizeof t->in;
        *end = 0;
        int more = command(t, t->in);
        drop(t, (size_t)(end + 1 - t->in));
        if (!more)
            return 0;
    }
}

static void *serve(void *given) {
    struct talk *t = given;
    say(t, "220 sink.test ESMTP\r\n");
    int more = 1;
    while (more && flush_replies(t) == 0) {
        ssize_t count = recv(t->socket, t->in + t->have, sizeof t->in - t->have, 0);
        if (count <= 0)
            break;
        t->have += (size_t)count;
        more = handle(t);
    }
    flush_replies(t);
    close(t->socket);
    free(t);
    return NULL;
}

static void *end_with_input(void *unused) {
    char byte;
    while (read(0, &byte, 1) > 0) {
    }
    _exit(0);
    return unused;
}

int main(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 128) ||
        getsockname(listener, (struct sockaddr *)&address, &length)) {
        perror("sink");
        return 1;
    }
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    pthread_t thread;
    pthread_create(&thread, NULL, end_with_input, NULL);
    for (;;) {
        int one = 1, socket = accept(listener, NULL, NULL);
        if (socket < 0)
            continue;
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct talk *t = malloc(sizeof *t);
        if (!t)
            return 1;
        t->socket = socket;
        t->body = t->fresh = 0;
        t->have = t->pending = 0;
        if (pthread_create(&thread, NULL, serve, t) == 0)
            pthread_detach(thread);
        else
            return 1;
    }
}
