// Desktop notifications (org.freedesktop.Notifications): one per purchase that waits, taken back when it is answered.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "watcher/bus.hpp"
#include "watcher/request_view.hpp"

namespace popvault::watcher {

class Notifier {
 public:
  explicit Notifier(Bus& session) noexcept : session_(session) {}
  void show(const std::string& purchase, const Notice& notice);
  // It no longer waits.
  void take_back(const std::string& purchase);

 private:
  Bus& session_;
  std::map<std::string, std::uint32_t> shown_;  // 0: not answered yet
  bool complained_ = false;
};

}  // namespace popvault::watcher
