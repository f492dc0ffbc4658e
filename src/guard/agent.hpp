// One client of the endpoint: a browser WebSocket, or a page's, which sees that page's session as its root.
//
// It has a browser session of its own; what goes out passes the rule, what comes in is its own sessions' alone. When the
// client goes, its browser session is detached, and with it everything it attached to or made to be disposed.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "guard/endpoint.hpp"
#include "guard/sessions.hpp"
#include "guard/targets.hpp"

namespace popvault::guard {

class Hub;

class Agent final : public Peer, public SocketUser, public std::enable_shared_from_this<Agent> {
 public:
  // `page`: the target of a page's WebSocket, or empty.
  Agent(Hub& hub, std::shared_ptr<Socket> socket, std::string page);
  ~Agent() override;
  void start();

  void message(std::string_view text) override;
  void drained() override;
  void closed() override;
  void answer(std::int64_t id, const CdpMessage& message) override;
  void event(const CdpMessage& message, Session& session) override;
  bool is_agent() const override { return true; }

  // Commands wait while the pipe is full.
  void pause(bool paused);
  // The session is not this agent's to use any more, as if its target had gone.
  void lost(Session& session);
  // What is queued or under way for it is dropped, commands are answered with an error.
  void cut(Session& session);
  // The session ends and another takes its place under the same name: nothing that was under way or planted lives on.
  void renew(Session& session);
  // A navigation of the page is over (Hub::committed): whoever asked for it is answered.
  void committed(const std::string& page, const std::string& loader);
  // A processor's document came to the page: clients wait to hear it, and a session that was made anew meanwhile may not.
  void navigated(const std::string& page, const Json& frame);
  // What was left out at renew() is set up again.
  void stand_again(Session& session);
  // A page that was kept from it is there.
  void found(const Target& target);

 private:
  struct Pending {
    std::int64_t id = 0;  // the client's
    std::string session, method;
    Json params;        // of those whose answer is remembered
    bool look = false;  // the answer has to pass the rule
  };

  // agent.cpp: what the client says
  void begin(std::string root);
  void regulate();
  void command(std::int64_t id, const CdpMessage& message, Session& session);
  bool own_answer(std::int64_t id, const CdpMessage& message, Session& session, Json& params, bool& changed);
  void refuse(std::int64_t id, std::string_view why, std::string_view session);
  // How this client names a session: its root has no name.
  std::string name_of(std::string_view session) const;
  // agent_renewal.cpp
  static constexpr std::int64_t kFirstNoWorld = 1'000'000'000;  // ids of contexts that are none
  bool in_no_world(std::int64_t id, const CdpMessage& message, const Json& params);
  void note_standing(Session& session, std::string_view method, const Json& params);
  void stand(Session& session, Standing& standing, bool now);
  void answer_cut(const Pending& pending, const std::string& target, const std::string& name);
  // agent_answers.cpp: what the browser says
  std::string looked_at(const Pending& pending, const CdpMessage& message);
  void remember(const Pending& pending, const CdpMessage& message);
  void event_of_target(const CdpMessage& message, Session& session);
  bool headers_kept(const CdpMessage& message, const Session& session, const Place& place);
  void tell_navigated(Session& session, const Json& frame);
  void frame_detached(const CdpMessage& message, const Session& session, const Place& place);
  void attached(const Json& params, Session& session);
  void send_event(std::string_view method, const Json& params, std::string_view session);

  Hub& hub_;
  std::shared_ptr<Socket> socket_;
  std::string page_, browser_session_, root_;
  std::map<std::int64_t, Pending> pending_;  // by the number that the link knows it by
  std::int64_t last_ = 0;
  // Sessions that are being made anew, by name, with what the client says meanwhile.
  struct Renewal {
    Session session;
    std::vector<std::string> messages;
  };
  std::map<std::string, Renewal, std::less<>> renewals_;
  // Page.navigate whose session was made anew below it: the answer comes with the document.
  struct Navigation {
    std::int64_t id = 0;
    std::string page, session;
  };
  std::vector<Navigation> navigations_;
  std::set<std::string, std::less<>> ended_;  // whose end the client is not told
  bool attaches_ = false, discovers_ = false;  // Target.setAutoAttach, setDiscoverTargets of the browser session
  bool paused_ = false, gone_ = false;
};

}  // namespace popvault::guard
