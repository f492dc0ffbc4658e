// A request that the browser holds for us (CDP domain Fetch), and what is done with it.
#pragma once

#include <deque>
#include <optional>
#include <set>

#include "injector/cdp.hpp"
#include "wire/match.hpp"

namespace popvault::injector {

struct Held {
  std::string session, id;
  std::string network_id;  // the same at request and response stage
  std::string frame;       // that it belongs to, or that it navigates
  bool navigation = false;
  std::string method, url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  bool body_whole = false;
  // At the response stage: one of the two.
  std::optional<int> status;
  bool broken = false;  // no answer: a network or certificate error
  std::vector<std::pair<std::string, std::string>> answer_headers;

  bool answered() const { return status || broken; }
  // The value of one header of the request; empty when there is none.
  std::string_view header(std::string_view name) const;
  wire::Request request(wire::Relation relation, std::string_view frame_url) const;
};

Held read_held(const Cdp::Event& event);

class HeldRequests {
 public:
  // `passes`: a request that goes its way at once, whatever we are waiting for.
  HeldRequests(Cdp& cdp, std::function<bool(const Held&)> passes) : cdp_(cdp), passes_(std::move(passes)) {}

  // Every request from these sessions, and from those of frames to come, to a URL of these patterns is held from now on.
  Step<void> enable(std::vector<std::string> url_patterns, const std::vector<std::string>& sessions);
  // To be called with each event.
  void on_event(const Cdp::Event& event);
  std::optional<Held> take();

  Step<void> pass(const Held& held);
  Step<void> fail(const Held& held);
  // An error page of ours instead of the answer.
  Step<void> replace_answer(const Held& held);
  // The answer's body. None: it could not be had.
  Step<std::optional<Bytes>> body(const Held& held);

  // The document that sent it; none when the browser did not tell (yet).
  std::optional<std::string> loader_of(const std::string& network_id) const;
  bool ended(const std::string& network_id) const { return ended_.contains(network_id); }

 private:
  Cdp::Id enable_in(const std::string& session);
  Step<void> command(std::string_view method, Json params, const Held& held);
  Cdp& cdp_;
  std::function<bool(const Held&)> passes_;
  std::vector<std::string> patterns_;
  std::deque<Held> held_;
  std::map<std::string, std::string> loaders_;
  std::set<std::string> ended_;
};

}  // namespace popvault::injector
