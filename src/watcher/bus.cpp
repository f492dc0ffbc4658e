#include "watcher/bus.hpp"

#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "base/display.hpp"
#include "log/log.hpp"

namespace popvault::watcher {
namespace {

constexpr std::uint64_t kAnswerUs = 10'000'000;

std::string name_of(Bus::Kind kind) { return kind == Bus::Kind::system ? "the system bus" : "the session bus"; }

// A reply of a bus or a service is text of others.
std::string plain(const char* text) { return text == nullptr ? std::string() : escape_ascii(std::string_view(text).substr(0, 200)); }

int run_handler(sd_bus_message* message, void* handler, sd_bus_error*) {
  (*static_cast<Bus::Handler*>(handler))(message);
  return 0;
}

// The answer to AddMatch: a bus that refuses a match is of less use, and no reason to drop it.
int match_added(sd_bus_message* message, void*, sd_bus_error*) {
  if (sd_bus_message_is_method_error(message, nullptr) > 0) log_warning("a bus refused to send a signal: " + error_text(message));
  return 0;
}

// The handler goes with its slot, and the slot with its bus.
void keep(sd_bus_slot* slot, std::unique_ptr<Bus::Handler> handler) {
  handler.release();
  sd_bus_slot_set_destroy_callback(slot, [](void* given) { delete static_cast<Bus::Handler*>(given); });
  sd_bus_slot_set_floating(slot, 1);
  sd_bus_slot_unref(slot);
}

}  // namespace

std::string error_text(sd_bus_message* message) {
  const sd_bus_error* const error = sd_bus_message_get_error(message);
  return error == nullptr ? std::string() : plain(error->name) + " (" + plain(error->message) + ")";
}

void Bus::open() {
  if (bus_ != nullptr) return;
  const int result = kind_ == Kind::system ? sd_bus_open_system(&bus_) : sd_bus_open_user(&bus_);
  if (result < 0) {
    bus_ = nullptr;
    return lost(-result);
  }
  if (opened_) opened_();
}

void Bus::close() noexcept {
  if (bus_ == nullptr) return;
  sd_bus_close(bus_);
  bus_ = sd_bus_unref(bus_);
}

// It may come again, and is then not said to be gone a second time.
void Bus::lost(int error) {
  close();
  if (std::exchange(complained_, true)) return;
  const std::string what = kind_ == Kind::system ? "the vault does not lock by itself before sleep"
                                                 : "there are no notifications, and the screen's lock is not seen";
  log_warning(name_of(kind_) + " is not there (" + std::strerror(error) + "): " + what);
}

void Bus::match(const std::string& rule, Handler handler) {
  if (bus_ == nullptr) return;
  auto kept = std::make_unique<Handler>(std::move(handler));
  sd_bus_slot* slot = nullptr;
  if (sd_bus_add_match_async(bus_, &slot, rule.c_str(), run_handler, match_added, kept.get()) >= 0)
    keep(slot, std::move(kept));
}

void Bus::call(const Method& method, const Fill& fill, Handler answered) {
  if (bus_ == nullptr) return;
  sd_bus_message* raw = nullptr;
  if (sd_bus_message_new_method_call(bus_, &raw, method.service, method.path, method.interface, method.member) < 0) return;
  const std::unique_ptr<sd_bus_message, decltype(&sd_bus_message_unref)> message(raw, &sd_bus_message_unref);
  if (fill && fill(raw) < 0) return;
  auto kept = std::make_unique<Handler>(std::move(answered));
  sd_bus_slot* slot = nullptr;
  if (sd_bus_call_async(bus_, &slot, raw, run_handler, kept.get(), kAnswerUs) >= 0) keep(slot, std::move(kept));
}

pollfd Bus::wanted() const noexcept {
  if (bus_ == nullptr) return {-1, 0, 0};
  const int fd = sd_bus_get_fd(bus_);
  const int events = sd_bus_get_events(bus_);
  return {fd, static_cast<short>(events < 0 ? POLLIN : events), 0};
}

int Bus::patience() const noexcept {
  std::uint64_t until = 0;
  if (bus_ == nullptr || sd_bus_get_timeout(bus_, &until) < 0 || until == UINT64_MAX) return -1;
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  const std::uint64_t now = static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(time.tv_nsec) / 1'000;
  if (until <= now) return 0;
  return static_cast<int>(std::min<std::uint64_t>((until - now + 999) / 1'000, 60'000));
}

void Bus::process() {
  while (bus_ != nullptr) {
    const int result = sd_bus_process(bus_, nullptr);
    if (result < 0) return lost(-result);
    if (result == 0) return;
  }
}

}  // namespace popvault::watcher
