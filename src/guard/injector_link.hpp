// One injector's stream: CDP without the rule, in a browser session of its own, and the four Popvault methods
// (rpc/guard_protocol.hpp).
#pragma once

#include <map>
#include <memory>
#include <string>

#include "guard/message_stream.hpp"
#include "guard/sessions.hpp"
#include "rpc/guard_protocol.hpp"

namespace popvault::guard {

class Hub;

class InjectorLink final : public Peer, public std::enable_shared_from_this<InjectorLink> {
 public:
  InjectorLink(Hub& hub, const JobId& id, Strength strength, Descriptor stream);
  ~InjectorLink() override;
  void start();
  void end();

  void answer(std::int64_t id, const CdpMessage& message) override;
  void event(const CdpMessage& message, Session& session) override;
  bool is_injector() const override { return true; }
  const JobId& id() const noexcept { return id_; }
  Strength strength() const noexcept { return strength_; }

 private:
  void take(std::string_view text);
  void popvault(std::int64_t id, const CdpMessage& message);
  void begin(std::int64_t id);
  void open(std::int64_t id, const std::string& url, bool own);
  // Which requests the browser holds for it, and which went out past us: nobody else looks at their answers.
  void note_held(const CdpMessage& message, const Session& session);
  void note_command(const CdpMessage& message);
  void request_over(const std::string& network);
  void fail_held();
  void finish();
  void reply(std::int64_t id, bool ok, std::string_view why = {});

  Hub& hub_;
  JobId id_;
  Strength strength_;
  MessageStream stream_;
  struct Held {
    std::string session, network;
  };
  std::map<std::string, Held, std::less<>> held_;  // by the id that Fetch gives
  std::unique_ptr<Timer> last_;                    // when it is gone, and an answer is still to come
  std::string root_;
  std::int64_t direct_ = 0;  // the id of the message that goes past us
  bool writes_ = false, gone_ = false, finished_ = false;
};

}  // namespace popvault::guard
