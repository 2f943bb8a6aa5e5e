/* Runs a command some times and prints what each run cost.
 *
 *     measure COUNT INPUT COMMAND ...      a line a run: wall µs, CPU µs, peak KiB, exit status
 *
 * It is a small program of its own because Linux counts the memory of the process that forks into the peak of
 * what it starts. Standard output and standard error go to /dev/null, standard input is the file INPUT. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long micros(struct timeval t) { return t.tv_sec * 1000000L + t.tv_usec; }

int main(int argc, char **argv) {
    if (argc < 4)
        return 2;
    int in = open(argv[2], O_RDONLY | O_CLOEXEC), out = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (in < 0 || out < 0)
        return 1;
    static int left;
    for (left = atoi(argv[1]); left > 0; left--) {
        struct timespec begin, end;
        lseek(in, 0, SEEK_SET);
        clock_gettime(CLOCK_MONOTONIC, &begin);
        pid_t child = vfork();
        if (child < 0)
            return 1;
        if (child == 0) {
            if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
                _exit(126);
            execvp(argv[3], argv + 3);
            _exit(127);
        }
        int status;
        struct rusage use;
        if (wait4(child, &status, 0, &use) != child)
            return 1;
        clock_gettime(CLOCK_MONOTONIC, &end);
        long wall = (end.tv_sec - begin.tv_sec) * 1000000L + (end.tv_nsec - begin.tv_nsec) / 1000;
        printf("%ld %ld %ld %d\n", wall, micros(use.ru_utime) + micros(use.ru_stime), use.ru_maxrss,
               WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
    return 0;
}
