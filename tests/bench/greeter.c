/* Ten thousand mail servers in one process: every address of 127.0.0.0/8 is one of them.
 *
 *     greeter     listens on two free ports of all addresses, prints them, and ends when its standard input does
 *
 * On the first port a server greets, answers EHLO, and says goodbye; on the second it takes the connection and
 * says nothing. One thread, epoll: it must never be what is measured. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 512, MOST = 1 << 16 };

static const char GREETING[] = "220 sink.test ESMTP\r\n";
static const char HELLO[] =
    "250-sink.test\r\n250-PIPELINING\r\n250-SIZE 1073741824\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n";
static const char BYE[] = "221 2.0.0 Bye\r\n";

static int listener(int *port) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) || listen(fd, 4096) ||
        getsockname(fd, (struct sockaddr *)&address, &length)) {
        perror("greeter");
        exit(1);
    }
    *port = ntohs(address.sin_port);
    return fd;
}

static void watch(int epoll, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Commands come whole, one or several in a read: each is a line that begins with a letter. */
static void answer(int fd) {
    char read[512], *line = read;
    ssize_t count = recv(fd, read, sizeof read - 1, 0);
    if (count <= 0) {
        close(fd);
        return;
    }
    read[count] = 0;
    for (; line && *line; line = (line = strchr(line, '\n')) ? line + 1 : NULL) {
        if (!strncasecmp(line, "EHLO", 4)) {
            send(fd, HELLO, sizeof HELLO - 1, MSG_NOSIGNAL);
        } else {
            send(fd, BYE, sizeof BYE - 1, MSG_NOSIGNAL);
            close(fd);
            return;
        }
    }
}

int main(void) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    int ports[2], listeners[2], epoll = epoll_create1(0);
    for (int at = 0; at < 2; at++)
        watch(epoll, listeners[at] = listener(&ports[at]));
    watch(epoll, 0);
    printf("%d %d\n", ports[0], ports[1]);
    fflush(stdout);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int at = 0; at < count; at++) {
            int fd = events[at].data.fd;
            if (fd == 0)
                return 0;
            if (fd != listeners[0] && fd != listeners[1]) {
                answer(fd);
                continue;
            }
            for (int taken; (taken = accept4(fd, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
                int one = 1;
                setsockopt(taken, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                if (fd == listeners[0])
                    send(taken, GREETING, sizeof GREETING - 1, MSG_NOSIGNAL);
                watch(epoll, taken);
            }
        }
    }
}
