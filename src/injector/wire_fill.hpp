// A fill where the page only ever gets aliases: the real values take their place in a request that a recipe allows,
// while the browser holds it (Job::strength wire and wire_attached).
//
// Each held request is looked at by wire::match with the frame that posts it. One that carries the alias and is not
// exactly what a recipe allows is failed, and ends the fill. The answer of a substituted one is held as well: a redirect
// is failed, and one that says the number back is replaced.
#pragma once

#include "injector/conversation.hpp"
#include "injector/filler.hpp"
#include "injector/held_request.hpp"
#include "injector/substitution.hpp"

namespace popvault::injector {

class WireFill {
 public:
  WireFill(Conversation& talk, Cdp& cdp, Page& page, Filler& filler);

  // From Ready to Done.
  Done run();

 private:
  Step<void> arm();
  Step<void> serve();
  Step<void> handle(const Held& held);
  Step<void> on_request(const Held& held);
  Step<void> on_answer(const Held& held);
  Step<void> substitute(const Held& held, const wire::Plan& plan);
  Step<void> refuse(const Held& held, Outcome outcome);
  // How the frame that sent it stands to those that were filled.
  Step<wire::Relation> relation_of(const Held& held);
  bool carries_alias(const Held& held) const;
  bool concerns_us(const Held& held) const;
  // A place that the page was given an alias for, that no request has taken yet, and that a recipe has in some request.
  bool more_to_come() const;
  Step<void> watch_for_challenge();
  std::set<std::string> documents() const;
  // No further request is substituted; those with the alias are failed.
  Step<void> turn_away(const Held& held);
  // When the fill ends early: the answer to a request that got the card is still seen to.
  Step<void> await_answer();
  // What to say when no request came, or no other one.
  Step<void> over() const;

  Conversation& talk_;
  Cdp& cdp_;
  Page& page_;
  Filler& filler_;
  HeldRequests held_;
  std::vector<wire::Recipe> recipes_;
  std::set<std::string> filled_;  // frames
  std::optional<Substitution> values_;
  std::set<wire::Place> used_;
  std::optional<Held> holding_;   // it waits for the bundle, or its answer for a look
  std::string awaited_;           // network id of the substituted request whose answer is to come
  Clock::time_point until_{};
  bool armed_ = false;
  bool moved_ = false;            // a real value left
  bool finished_ = false;
  bool challenge_ = false;
  std::set<std::string> before_;  // documents that stood there before the answer
};

}  // namespace popvault::injector
