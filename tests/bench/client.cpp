// The client of tools/bench where Python's own time would count: both sides of a measurement run the same code here.
//
//   bench_client trips TURNS TRIPS < FILE    two sides, each: socket, first request, request (hex; "-" is none), size of an answer.
//                                            They take turns of TRIPS round trips. Prints "side nanoseconds" for each.
//   bench_client load SOCKET ROUNDS EACH < FILE
//                                            one agent per line: its session.hello, its request with @@@@@@@@ where a number
//                                            goes. ROUNDS times: EACH requests of every agent one after the other, then EACH
//                                            of every agent with all agents at once. Prints "alone SECONDS" and "together SECONDS".
// Ends with 1 and one line on stderr when something failed. One thread.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "bench_client: %s\n", why.c_str());
  std::exit(1);
}

int connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) die("a path is too long");
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) die("connecting to " + path);
  return fd;
}

void send_all(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t n = write(fd, data.data(), data.size());
    if (n <= 0) die("sending");
    data.remove_prefix(static_cast<std::size_t>(n));
  }
}

std::string read_line(int fd) {
  std::string out;
  char buffer[65536];
  while (out.empty() || out.back() != '\n') {
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n <= 0) die("an answer did not come");
    out.append(buffer, static_cast<std::size_t>(n));
  }
  return out;
}

std::string from_hex(const std::string& text) {
  std::string out;
  if (text == "-") return out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    out.push_back(static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16)));
  return out;
}

// --- trips

struct Side {
  int fd = -1;
  std::string request;
  std::size_t size = 0;
};

void round_trip(const Side& side) {
  send_all(side.fd, side.request);
  static char buffer[65536];
  for (std::size_t got = 0; got < side.size;) {
    const ssize_t n = read(side.fd, buffer, sizeof buffer);
    if (n <= 0) die("an answer did not come");
    got += static_cast<std::size_t>(n);
    if (got > side.size) die("an answer is of another size");
  }
}

int trips(int turns, int each) {
  std::vector<Side> sides(2);
  for (Side& side : sides) {
    std::string path, first, request;
    if (!(std::cin >> path >> first >> request >> side.size)) die("the input");
    side.fd = connect_to(path);
    if (first != "-") {
      send_all(side.fd, from_hex(first));
      (void)read_line(side.fd);
    }
    side.request = from_hex(request);
  }
  std::vector<std::int64_t> taken[2];
  for (int turn = 0; turn < turns; ++turn) {
    for (int which : {0, 1}) {
      for (int i = 0; i < each; ++i) {
        const auto begin = Clock::now();
        round_trip(sides[static_cast<std::size_t>(which)]);
        taken[which].push_back(std::chrono::nanoseconds(Clock::now() - begin).count());
      }
    }
  }
  for (int which : {0, 1})
    for (const std::int64_t one : taken[which]) std::printf("%d %lld\n", which, static_cast<long long>(one));
  return 0;
}

// --- load

struct Agent {
  int fd = -1;
  std::string request;
  std::size_t place = 0;  // of the number
  std::string answer{};
  int left = 0;
};

void ask(Agent& agent) {
  static unsigned next = 0;
  char number[9];
  std::snprintf(number, sizeof number, "%08x", ++next);
  agent.request.replace(agent.place, 8, number);
  send_all(agent.fd, agent.request);
}

void check_answer(const std::string& line) {
  if (line.find("\"status\":\"approved\"") == std::string::npos) die("not approved: " + line.substr(0, 300));
}

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

double alone(std::vector<Agent>& agents, int each) {
  const auto begin = Clock::now();
  for (int i = 0; i < each; ++i)
    for (Agent& agent : agents) {
      ask(agent);
      check_answer(read_line(agent.fd));
    }
  return seconds_since(begin);
}

// Each agent asks again as soon as it is answered.
double together(std::vector<Agent>& agents, int epoll, int each) {
  const auto begin = Clock::now();
  std::size_t running = agents.size();
  for (Agent& agent : agents) {
    agent.left = each;
    ask(agent);
  }
  std::vector<epoll_event> events(agents.size());
  char buffer[65536];
  while (running > 0) {
    const int count = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 30'000);
    if (count <= 0) die("answers did not come");
    for (int i = 0; i < count; ++i) {
      Agent& agent = agents[events[static_cast<std::size_t>(i)].data.u64];
      const ssize_t n = read(agent.fd, buffer, sizeof buffer);
      if (n <= 0) die("an answer did not come");
      agent.answer.append(buffer, static_cast<std::size_t>(n));
      if (agent.answer.back() != '\n') continue;
      check_answer(agent.answer);
      agent.answer.clear();
      if (--agent.left == 0)
        --running;
      else
        ask(agent);
    }
  }
  return seconds_since(begin);
}

int load(const std::string& path, int rounds, int each) {
  std::vector<Agent> agents;
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  for (std::string hello, request; std::getline(std::cin, hello) && std::getline(std::cin, request);) {
    Agent agent{connect_to(path), request + "\n", request.find("@@@@@@@@")};
    if (agent.place == std::string::npos) die("a request without a place for its number");
    send_all(agent.fd, hello + "\n");
    if (read_line(agent.fd).find("\"result\"") == std::string::npos) die("session.hello was refused");
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = agents.size();
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, agent.fd, &event) != 0) die("epoll");
    agents.push_back(std::move(agent));
  }
  if (agents.empty()) die("no agents");
  for (int round = 0; round < rounds; ++round) {
    std::printf("alone %.9f\n", alone(agents, each));
    std::printf("together %.9f\n", together(agents, epoll, each));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "trips" && argc == 4) return trips(std::atoi(argv[2]), std::atoi(argv[3]));
  if (mode == "load" && argc == 5) return load(argv[2], std::atoi(argv[3]), std::atoi(argv[4]));
  die("bench_client trips TURNS TRIPS, or bench_client load SOCKET ROUNDS EACH");
}
