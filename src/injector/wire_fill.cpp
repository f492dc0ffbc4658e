#include "injector/wire_fill.hpp"

#include <algorithm>

#include "injector/challenge.hpp"
#include "injector/press.hpp"
#include "injector/relation.hpp"
#include "wire/echo.hpp"

namespace popvault::injector {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLoaderFor{500};      // how much later the browser may tell which document sent a request
constexpr milliseconds kChallengeFor{1500};  // after the answer
constexpr milliseconds kLookEvery{100};
constexpr milliseconds kClearFor{1500};

std::set<wire::Place> places_of(const wire::Plan& plan) {
  std::set<wire::Place> out;
  for (const wire::Piece& piece : plan.pieces)
    if (const auto* hole = std::get_if<wire::Hole>(&piece)) out.insert(hole->place);
  return out;
}

bool is_expiry(wire::Place place) {
  return place == wire::Place::exp || place == wire::Place::exp_month || place == wire::Place::exp_year;
}

}  // namespace

WireFill::WireFill(Conversation& talk, Cdp& cdp, Page& page, Filler& filler)
    : talk_(talk), cdp_(cdp), page_(page), filler_(filler), held_(cdp, [this](const Held& held) { return !concerns_us(held); }),
      filled_(filler.frames()) {
  cdp_.listen([this](const Cdp::Event& event) { held_.on_event(event); });
}

Step<void> WireFill::arm() {
  std::vector<std::string> patterns;
  for (const std::string& text : talk_.job().recipes) {
    auto recipe = wire::Recipe::parse(text);
    if (!recipe) return stop(Outcome::failed);
    if (recipe->mode != wire::Mode::wire) continue;
    for (std::string& url : recipe->url_patterns()) patterns.push_back(std::move(url));
    recipes_.push_back(std::move(*recipe));
  }
  if (recipes_.empty()) return stop(Outcome::failed);
  PV_TRY(talk_.ready(filler_.reports()));
  PV_TRY(talk_.receive_proceed());
  if (page_.changed()) return stop(Outcome::navigated);
  // Before the aliases: none of them may go out unseen.
  PV_TRY(held_.enable(std::move(patterns), page_.sessions()));
  PV_ASSIGN(const Values aliases, alias_values(talk_.job()));
  PV_TRY(filler_.fill(aliases));
  PV_TRY(filler_.settle());
  PV_TRY(talk_.signal(Message::armed));
  armed_ = true;
  until_ = Clock::now() + milliseconds(talk_.job().armed_ms);
  talk_.channel().set_deadline(until_ + milliseconds(kAnswerMs));
  return {};
}

Step<void> WireFill::serve() {
  if (talk_.job().submit) {
    std::vector<std::string> selectors;
    for (const wire::Recipe& recipe : recipes_)
      if (!recipe.submit.empty()) selectors.push_back(recipe.submit);
    PV_TRY(press_submit(cdp_, page_, filled_, selectors));
  }
  while (!finished_) {
    if (const auto held = held_.take()) {
      PV_TRY(handle(*held));
      continue;
    }
    const bool waiting = awaited_.empty();
    if (!waiting && held_.ended(awaited_)) return stop(Outcome::failed);
    if (waiting && (page_.left() || Clock::now() >= until_)) return over();
    PV_TRY(cdp_.poll(waiting ? until_ : Clock::time_point::max()));
  }
  return {};
}

Step<void> WireFill::over() const {
  if (moved_) return {};
  return stop(Outcome::no_request);
}

Step<void> WireFill::handle(const Held& held) {
  if (!held.answered()) return on_request(held);
  if (awaited_.empty() || held.network_id != awaited_) return held_.pass(held);
  return on_answer(held);
}

Step<void> WireFill::refuse(const Held& held, Outcome outcome) {
  PV_TRY(held_.fail(held));
  holding_.reset();
  return stop(outcome);
}

bool WireFill::carries_alias(const Held& held) const {
  const ByteView number = as_bytes(talk_.job().aliases.number);
  if (wire::holds_number(held.url, number) || wire::holds_number(held.body, number)) return true;
  return std::any_of(held.headers.begin(), held.headers.end(), [&](const auto& header) {
    return wire::holds_number(header.first, number) || wire::holds_number(header.second, number);
  });
}

// A preflight has no body, and nothing is put into its URL.
bool WireFill::concerns_us(const Held& held) const {
  if (held.answered()) return true;
  if (held.method == "OPTIONS") return false;
  return carries_alias(held) || std::any_of(recipes_.begin(), recipes_.end(), [&](const wire::Recipe& recipe) {
    return wire::concerns(recipe, held.method, held.url);
  });
}

Step<void> WireFill::on_request(const Held& held) {
  const bool carries = carries_alias(held);
  const bool named = std::any_of(recipes_.begin(), recipes_.end(),
                                 [&](const wire::Recipe& recipe) { return wire::concerns(recipe, held.method, held.url); });
  if (!named) return refuse(held, Outcome::recipe_mismatch);

  PV_ASSIGN(const wire::Relation relation, relation_of(held));
  const Frame* const frame = page_.frame(held.frame);
  const std::string frame_url = frame == nullptr ? "" : frame->url;
  const Job& job = talk_.job();
  const wire::Expected expected{job.aliases, job.accounts, job.allow_loopback_http,
                                job.has_holder && filler_.has(Field::holder) ? kHolderAlias : std::string_view{}};
  wire::Match best;
  for (const wire::Recipe& recipe : recipes_) {
    if (!wire::concerns(recipe, held.method, held.url)) continue;
    wire::Match match = wire::match(recipe, expected, held.request(relation, frame_url));
    if (match || match.mismatch >= best.mismatch) best = std::move(match);
    if (best) break;
  }
  if (best) return substitute(held, *best.plan);
  // One whose body cannot be read may carry it.
  if (carries || !held.body_whole) return refuse(held, wire::to_outcome(best.mismatch));
  return held_.pass(held);
}

Step<void> WireFill::substitute(const Held& held, const wire::Plan& plan) {
  const std::set<wire::Place> places = places_of(plan);
  const bool again = std::any_of(places.begin(), places.end(), [&](wire::Place place) { return used_.contains(place); });
  // One at a time, and each place once.
  if (!awaited_.empty()) return held_.fail(held);
  if (again) return refuse(held, Outcome::recipe_mismatch);
  holding_ = held;
  if (!values_) {
    talk_.channel().set_deadline(Clock::now() + milliseconds(kAnswerMs));
    PV_TRY(talk_.signal(Message::wanted));
    PV_ASSIGN(const Values card, talk_.receive_values());
    values_.emplace(card, talk_.job().has_cvc, talk_.job().has_holder);
  }
  if (!values_->fits(plan)) return stop(Outcome::failed);
  if (!held.navigation) PV_TRY(page_.confirm_documents());
  if (page_.left()) return stop(moved_ ? Outcome::failed : Outcome::no_request);
  bool sent = false;
  const Step<void> done = values_->send(cdp_, held, plan, sent);
  if (sent) holding_.reset();
  moved_ = moved_ || sent;
  // One that the browser refused is gone, and has no answer.
  if (sent && (done || done.error().outcome != Outcome::failed)) awaited_ = held.network_id;
  PV_TRY(done);
  used_.insert(places.begin(), places.end());
  return {};
}

Step<void> WireFill::on_answer(const Held& held) {
  awaited_.clear();
  holding_ = held;
  // What follows a redirect would get the body.
  const bool redirect = held.status && *held.status >= 300 && *held.status < 400;
  if (held.broken || redirect) return refuse(held, Outcome::failed);
  PV_ASSIGN(const std::optional<Bytes> body, held_.body(held));
  if (!body) return refuse(held, Outcome::failed);
  if (values_->echoes(held, *body)) {
    PV_TRY(held_.replace_answer(held));
    holding_.reset();
    return stop(Outcome::failed);
  }
  before_ = documents();
  PV_TRY(held_.pass(held));
  holding_.reset();
  finished_ = !more_to_come();
  return finished_ ? watch_for_challenge() : Step<void>{};
}

bool WireFill::more_to_come() const {
  const bool expiry = std::any_of(used_.begin(), used_.end(), is_expiry);
  const auto open = [&](wire::Place place) {
    if (place == wire::Place::holder || used_.contains(place) || (expiry && is_expiry(place))) return false;
    return place != wire::Place::cvc || filler_.has(Field::cvc);
  };
  for (const wire::Recipe& recipe : recipes_)
    for (const wire::RequestRule& rule : recipe.requests) {
      // A request that would take again what was taken cannot be the one that is still to come.
      const bool other = std::none_of(rule.places.begin(), rule.places.end(), [&](const wire::PlaceRule& one) {
        return used_.contains(one.place) && one.place != wire::Place::holder;
      });
      if (other && std::any_of(rule.places.begin(), rule.places.end(),
                               [&](const wire::PlaceRule& one) { return open(one.place); }))
        return true;
    }
  return false;
}

std::set<std::string> WireFill::documents() const {
  std::set<std::string> out;
  for (const auto& [id, frame] : page_.frames()) out.insert(id + frame.loader);
  return out;
}

// Waits only for processors that are known to ask.
Step<void> WireFill::watch_for_challenge() {
  const bool any = std::any_of(recipes_.begin(), recipes_.end(),
                               [](const wire::Recipe& recipe) { return !recipe.challenges.empty(); });
  const Clock::time_point end = Clock::now() + kChallengeFor;
  while (any && !challenge_ && Clock::now() < end) {
    // No other request may go astray meanwhile.
    while (const auto held = held_.take()) PV_TRY(turn_away(*held));
    PV_TRY(page_.confirm_documents());
    for (const auto& item : page_.frames()) {
      const Frame& frame = item.second;
      if (before_.contains(item.first + frame.loader)) continue;
      const auto named = [&](const wire::Recipe& recipe) { return recipe.is_challenge(frame.url); };
      challenge_ = challenge_ || is_challenge(frame.url, frame.name, {}) || std::any_of(recipes_.begin(), recipes_.end(), named);
    }
    if (!challenge_) PV_TRY(cdp_.poll(std::min(end, Clock::now() + kLookEvery)));
  }
  return {};
}

Step<void> WireFill::turn_away(const Held& held) { return carries_alias(held) ? held_.fail(held) : held_.pass(held); }

// Without us the browser would let the answer through as it is, and follow a redirect with the body.
Step<void> WireFill::await_answer() {
  const Clock::time_point end = Clock::now() + milliseconds(kAnswerMs);
  talk_.channel().ignore_control();
  talk_.channel().set_deadline(end + kClearFor);
  while (!awaited_.empty() && !held_.ended(awaited_) && Clock::now() < end) {
    const auto held = held_.take();
    if (!held) {
      PV_TRY(cdp_.poll(end));
    } else if (held->answered() && held->network_id == awaited_) {
      return on_answer(*held);
    } else {
      PV_TRY(turn_away(*held));
    }
  }
  if (!held_.ended(awaited_))
    for (const std::string& session : page_.sessions()) PV_TRY(cdp_.wait(cdp_.send("Page.stopLoading", {}, session)));
  return stop(Outcome::failed);
}

Step<wire::Relation> WireFill::relation_of(const Held& held) {
  const Frame* frame = page_.frame(held.frame);
  if (held.navigation) {
    // A form that is posted: the document that does it still stands in the frame.
    const bool stands = frame != nullptr && !page_.left() && filled_.contains(held.frame);
    const auto& origins = talk_.job().origins;
    const bool own = stands && frame->origin < origins.size() && held.header("origin") == origins[frame->origin];
    return own ? wire::Relation::filled : wire::Relation::other;
  }
  const Clock::time_point end = Clock::now() + kLoaderFor;
  while (!held_.loader_of(held.network_id) && Clock::now() < end) PV_TRY(cdp_.poll(end));
  PV_TRY(page_.confirm_documents());
  frame = page_.frame(held.frame);
  const auto loader = held_.loader_of(held.network_id);
  if (frame == nullptr || !loader || loader->empty() || frame->loader != *loader) return wire::Relation::other;
  return relation_in_tree(page_, filled_, *frame);
}

Done WireFill::run() {
  const Job& job = talk_.job();
  Step<void> served = arm();
  if (served) served = serve();
  if (!served && !awaited_.empty() && !held_.ended(awaited_)) served = await_answer();
  Done done{job.id, Outcome::filled, moved_, false, {}};
  if (!served) done.outcome = served.error().outcome;
  if (served && challenge_) done.outcome = Outcome::challenge;
  if (!served) {
    talk_.channel().ignore_control();
    talk_.channel().set_deadline(Clock::now() + kClearFor);
    if (holding_) (void)held_.fail(*holding_);
    // Aliases are no secret; they are taken back as they are of no more use.
    if (filler_.typed()) (void)filler_.clear();
  }
  done.fields = filler_.reports();
  return done;
}

}  // namespace popvault::injector
