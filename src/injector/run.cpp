#include "injector/run.hpp"

#include <unistd.h>

#include <algorithm>
#include <set>

#include "injector/filler.hpp"
#include "injector/price.hpp"
#include "injector/sealed_fill.hpp"
#include "injector/wire_fill.hpp"

namespace popvault::injector {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFindFor{1500};  // how long fields may take to appear
constexpr milliseconds kCodeFor{400};   // and what is still absent, when the rest is there
constexpr milliseconds kLookEvery{40};
constexpr milliseconds kOpenFor{10'000};  // how long a page of our own may take to come
constexpr milliseconds kClearFor{1500};  // after the daemon hung up or the time is over

struct Search {
  Choice choice;
  std::vector<std::string> frames;
};

Step<void> at_merchant(const Page& page) {
  const Frame* const top = page.top();
  if (top == nullptr) return stop(Outcome::page_not_found);
  // A new document that is not known yet.
  if (top->loader.empty()) return stop(Outcome::fields_missing);
  if (top->origin != 0) return stop(Outcome::origin_mismatch);
  return {};
}

Step<Search> look_and_choose(Page& page, const Job& job) {
  const Needs needs = needs_of(job);
  PV_ASSIGN(Found found, look(page, job, false));
  PV_TRY(at_merchant(page));
  auto choice = choose(found.candidates, needs);
  const bool lacking = !choice || !choice->absent.empty();
  if (lacking || found.suspects) {
    PV_TRY(page.open_closed_roots());
    PV_ASSIGN(found, look(page, job, false));
    choice = choose(found.candidates, needs);
  }
  if (!choice) return tl::unexpected(choice.error());
  // The page is still being made: what it asks for is not known yet.
  if (!choice->absent.empty() && found.loading) return stop(Outcome::fields_missing, choice->absent);
  // A page of our own is as young as its document: what listens to its fields may still be loading.
  if (job.open_page && found.loading) return stop(Outcome::fields_missing, choice->absent);
  return Search{std::move(*choice), std::move(found.frames)};
}

bool may_pass(Outcome outcome) {
  return outcome == Outcome::fields_missing || outcome == Outcome::fields_ambiguous ||
         outcome == Outcome::origin_not_allowed;
}

// Looks again and again until all fields are there.
Step<Search> search(Cdp& cdp, Page& page, const Job& job) {
  const Clock::time_point began = Clock::now();
  while (true) {
    auto found = look_and_choose(page, job);
    const auto passed = Clock::now() - began;
    if (found && (found->choice.absent.empty() || passed >= kCodeFor)) return found;
    if (!found && !may_pass(found.error().outcome)) return found;
    if (!found && passed >= kFindFor) break;
    const Clock::time_point next = Clock::now() + kLookEvery;
    while (Clock::now() < next) PV_TRY(cdp.poll(next));
  }
  // For the answer: is what is missing in a frame that the owner did not list?
  PV_ASSIGN(const Found all, look(page, job, true));
  PV_TRY(at_merchant(page));
  auto choice = choose(all.candidates, needs_of(job));
  if (!choice) return tl::unexpected(choice.error());
  // A frame of a listed origin is still to come: what the page asks for is not known.
  if (!choice->absent.empty() && page.awaits_document()) return stop(Outcome::fields_missing, choice->absent);
  return Search{std::move(*choice), all.frames};
}

Step<void> type_and_settle(Conversation& talk, Page& page, Filler& filler) {
  PV_TRY(talk.ready(filler.reports()));
  PV_ASSIGN(const Values values, talk.receive_values());
  if (page.changed()) return stop(Outcome::navigated);
  PV_TRY(filler.fill(values));
  return filler.settle();
}

// Real values typed into the page (Job::strength dom).
Done fill_in_page(Conversation& talk, Page& page, Filler& filler) {
  const auto filled = type_and_settle(talk, page, filler);
  Done done{talk.job().id, filled ? Outcome::filled : filled.error().outcome, filler.typed(), false, {}};
  if (!filled && filler.typed()) {
    talk.channel().ignore_control();
    talk.channel().set_deadline(Clock::now() + kClearFor);
    done.cleared = filler.clear();
  }
  done.fields = filler.reports();
  return done;
}

bool by_wire(const Job& job) {
  return job.kind == Kind::card && (job.strength == Strength::wire || job.strength == Strength::wire_attached);
}

// A strength never becomes another one: what needs the guard is not done without it.
bool possible(const Job& job, const Channel& channel) {
  const bool needs_guard = job.strength == Strength::wire || job.strength == Strength::sealed || job.open_page;
  return job.guarded ? channel.has_pipe() : !needs_guard;
}

// The page of the Job, or a new one that the guard opens for it.
Step<void> attach(Cdp& cdp, Page& page, const Job& job) {
  PV_TRY(cdp.open());
  if (!job.open_page) return page.attach();
  Json params;
  params.set("url", job.page);
  // A login is for the agent's own use afterwards; a purchase leaves nothing behind.
  params.set("own", job.kind == Kind::card && job.strength == Strength::sealed);
  PV_ASSIGN(const Json opened, cdp.ask_guard("Popvault.open", std::move(params)));
  PV_TRY(page.attach(opened["targetId"].text_or("")));
  const Clock::time_point end = Clock::now() + kOpenFor;
  while (true) {
    PV_TRY(page.survey(false));
    const Frame* const top = page.top();
    if (top != nullptr && !top->loader.empty() && !top->url.empty() && top->url != "about:blank") return {};
    if (Clock::now() >= end) return stop(Outcome::page_not_found);
    PV_TRY(cdp.poll(Clock::now() + kLookEvery));
  }
}

Step<Search> prepare(Cdp& cdp, Page& page, const Job& job) {
  PV_TRY(attach(cdp, page, job));
  if (job.guarded && by_wire(job)) {
    Json params;
    params.set("targetId", page.top() == nullptr ? "" : page.top()->id);
    PV_TRY(cdp.ask_guard("Popvault.redact", std::move(params)));
  }
  PV_ASSIGN(Search found, search(cdp, page, job));
  PV_TRY(check_price(page, job));
  return found;
}

Done fill(Channel& channel, const Job& job) {
  if (!possible(job, channel)) return Done{job.id, Outcome::failed, false, false, {}};
  Cdp cdp(channel, job.guarded);
  Page page(cdp, job);
  auto found = prepare(cdp, page, job);
  if (!found) return Done{job.id, found.error().outcome, false, false, found.error().fields};
  // Part of a login is often asked for on the next page.
  std::vector<FieldReport> absent;
  if (job.kind == Kind::login) absent = std::move(found->choice.absent);
  Filler filler(cdp, page, std::move(found->choice.picks), std::move(found->frames), std::move(absent), by_wire(job));
  Conversation talk(channel, cdp, job);
  if (by_wire(job)) return WireFill(talk, cdp, page, filler).run();
  if (job.strength == Strength::sealed) return SealedFill(talk, cdp, page, filler).run();
  return fill_in_page(talk, page, filler);
}

}  // namespace

bool run(int control, int browser, int pipe) {
  Channel channel(control, browser, pipe);
  const auto message = channel.receive_first();
  if (!message) return false;
  if (message->descriptor >= 0) close(message->descriptor);
  const auto job = Job::decode(message->bytes);
  if (!job) return false;
  channel.set_deadline(Clock::now() + milliseconds(job->deadline_ms));
  return channel.send(fill(channel, *job).encode());
}

}  // namespace popvault::injector
