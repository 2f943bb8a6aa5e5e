/* The least that a check of many hosts can cost: one thread, epoll, no words.
 *
 *     floor COUNT SECONDS <TARGETS     connect, greeting, EHLO, QUIT for each ADDRESS:PORT, COUNT at a time, each
 *                                      within SECONDS; prints a line a target
 *
 * What `ehlo check` does besides (names, TLS, verdicts, reports) is what it may cost more. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 512, ROOM = 2048 };
enum stage { CONNECTING, GREETED, HELLO, QUIT };

struct talk {
    int fd;
    enum stage stage;
    size_t have;
    double deadline;
    struct talk *next, *before; /* in the order of their deadlines */
    char target[64];
    char in[ROOM];
};

static int epoll, running;
static double limit;
static struct talk *oldest, *newest;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void end(struct talk *t, const char *how) {
    printf("%s %s\n", t->target, how);
    close(t->fd);
    *(t->before ? &t->before->next : &oldest) = t->next;
    *(t->next ? &t->next->before : &newest) = t->before;
    free(t);
    running--;
}

static int begin(void) {
    char line[64];
    do {
        if (!fgets(line, sizeof line, stdin))
            return 0;
        line[strcspn(line, "\r\n")] = 0;
    } while (!*line);
    struct talk *t = malloc(sizeof *t);
    if (!t)
        exit(1);
    strcpy(t->target, line);
    char *port = strrchr(line, ':');
    *port++ = 0;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    inet_pton(AF_INET, line, &address.sin_addr);
    int one = 1;
    t->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    t->stage = CONNECTING;
    t->have = 0;
    t->deadline = now() + limit;
    t->next = NULL;
    t->before = newest;
    *(newest ? &newest->next : &oldest) = t;
    newest = t;
    running++;
    if (t->fd < 0)
        exit(1);
    setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(t->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) {
        end(t, "refused");
        return 1;
    }
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = t};
    epoll_ctl(epoll, EPOLL_CTL_ADD, t->fd, &event);
    return 1;
}

/* Whether the last line of a reply has come. */
static int complete(const struct talk *t) {
    if (!t->have || t->in[t->have - 1] != '\n')
        return 0;
    const char *line = memrchr(t->in, '\n', t->have - 1);
    line = line ? line + 1 : t->in;
    return t->in + t->have - line > 4 && line[3] == ' ';
}

static void say(struct talk *t, const char *line, enum stage next) {
    send(t->fd, line, strlen(line), MSG_NOSIGNAL);
    t->have = 0;
    t->stage = next;
}

static void step(struct talk *t) {
    if (t->stage == CONNECTING) {
        int error = 0;
        socklen_t length = sizeof error;
        getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &length);
        if (error) {
            end(t, "refused");
            return;
        }
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = t};
        epoll_ctl(epoll, EPOLL_CTL_MOD, t->fd, &event);
        t->stage = GREETED;
        return;
    }
    ssize_t count = recv(t->fd, t->in + t->have, ROOM - t->have, 0);
    if (count <= 0) {
        end(t, "closed");
        return;
    }
    t->have += (size_t)count;
    if (!complete(t))
        return;
    switch (t->stage) {
    case GREETED:
        say(t, "EHLO client.test\r\n", HELLO);
        break;
    case HELLO:
        say(t, "QUIT\r\n", QUIT);
        break;
    default:
        end(t, "ok");
    }
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    int most = atoi(argv[1]), more = 1;
    limit = atof(argv[2]);
    epoll = epoll_create1(0);
    while (more || running) {
        while (more && running < most)
            more = begin();
        struct epoll_event events[EVENTS];
        int wait = oldest ? (int)((oldest->deadline - now()) * 1000) + 1 : 0;
        int count = epoll_wait(epoll, events, EVENTS, wait < 0 ? 0 : wait);
        for (int at = 0; at < count; at++)
            step(events[at].data.ptr);
        while (oldest && oldest->deadline <= now())
            end(oldest, "silent");
    }
    return 0;
}
