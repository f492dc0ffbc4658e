// What is said to the daemon between Job and Done. See rpc/injector_protocol.hpp.
#pragma once

#include "injector/cdp.hpp"
#include "injector/values.hpp"

namespace popvault::injector {

class Conversation {
 public:
  Conversation(Channel& channel, Cdp& cdp, const Job& job) : channel_(channel), cdp_(cdp), job_(job) {}

  Step<void> ready(std::vector<FieldReport> fields);
  Step<void> signal(Message type);
  // Waits, and handles what the browser says meanwhile.
  Step<void> receive_proceed();
  Step<Values> receive_values();

  const Job& job() const { return job_; }
  Channel& channel() { return channel_; }

 private:
  Step<ControlMessage> receive();
  Channel& channel_;
  Cdp& cdp_;
  const Job& job_;
};

// What is typed for the holder instead of a name.
constexpr std::string_view kHolderAlias = "Card Holder";
// The Job's aliases, to be typed like a card.
Step<Values> alias_values(const Job& job);

}  // namespace popvault::injector
