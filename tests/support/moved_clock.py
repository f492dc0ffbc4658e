"""The system's clock as a program sees it, moved by the test: only the wall clock, as `date --set` does.

    clock = MovedClock(folder)
    home.start(env=home.env(**clock.env))
    clock.move(+86400)      # from now on, for every program that was started with clock.env
"""

import os
import subprocess

SOURCE = r"""
#include <cstdio>
#include <ctime>
#include <dlfcn.h>
#include <sys/time.h>
static long ahead() {
  long seconds = 0;
  if (FILE* file = fopen(CLOCK_FILE, "r")) { if (fscanf(file, "%ld", &seconds) != 1) seconds = 0; fclose(file); }
  return seconds;
}
extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  static auto real = reinterpret_cast<int (*)(clockid_t, timespec*)>(dlsym(RTLD_NEXT, "clock_gettime"));
  const int result = real(clock, time);
  if (clock == CLOCK_REALTIME) time->tv_sec += ahead();
  return result;
}
extern "C" int gettimeofday(timeval* time, void*) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return 0;
}
extern "C" time_t time(time_t* out) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
"""


class MovedClock:
    def __init__(self, folder):
        self._file = os.path.join(folder, "clock")
        library, source = os.path.join(folder, "clock.so"), os.path.join(folder, "clock.cpp")
        with open(source, "w", encoding="utf-8") as file:
            file.write(SOURCE)
        subprocess.run(["g++", "-shared", "-fPIC", "-w", "-DCLOCK_FILE=\"%s\"" % self._file, "-o", library, source, "-ldl"],
                       check=True)
        self.env = {"LD_PRELOAD": library}
        self.move(0)

    def move(self, seconds):
        """So far ahead of the machine's clock; negative: behind."""
        with open(self._file + ".new", "w", encoding="ascii") as file:
            file.write("%d\n" % seconds)
        os.rename(self._file + ".new", self._file)
