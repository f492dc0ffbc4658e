// Who may ask what, when: one table per socket, and the check of a request against it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "daemon/handlers.hpp"
#include "os/closer.hpp"

namespace popvault::daemon {

// What the owner must prove. fresh: a signature for this very request; session: that, or that a good one was given on
// this connection (src/gate/proofs.hpp).
enum class Proof : std::uint8_t { fresh, session, none };

constexpr std::uint8_t kAnyState = 31;
constexpr std::uint8_t kMade = static_cast<std::uint8_t>(State::locked) | static_cast<std::uint8_t>(State::unlocked) |
                               static_cast<std::uint8_t>(State::granted);

struct Method {
  std::string_view name;
  std::uint8_t states = 0;     // State bits
  Proof proof = Proof::fresh;  // owner.sock only
  bool needs_agent = false;    // agent.sock only: after session.hello
  Handler handler = nullptr;
};

std::span<const Method> methods(Door door) noexcept;

// One line. `send` gets the reply's line, now or later, exactly once.
// What was not taken is closed where it cannot hold anybody up.
struct Passed {
  Descriptor bundle;
  Descriptor file;
  Passed() = default;
  Passed(Passed&&) = default;
  Passed& operator=(Passed&&) = default;
  ~Passed() {
    close_elsewhere(std::move(bundle));
    close_elsewhere(std::move(file));
  }
};
void dispatch(Application& app, Peer& peer, std::string_view line, Passed passed, Reply::Send send);

}  // namespace popvault::daemon
