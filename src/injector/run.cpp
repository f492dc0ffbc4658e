#include "injector/run.hpp"

#include <unistd.h>

#include <algorithm>
#include <set>

#include "injector/filler.hpp"
#include "injector/price.hpp"

namespace popvault::injector {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFindFor{1500};  // how long fields may take to appear
constexpr milliseconds kCodeFor{400};   // and what is still absent, when the rest is there
constexpr milliseconds kLookEvery{40};
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

Step<Values> receive_values(Channel& channel, Cdp& cdp, const Job& job) {
  PV_ASSIGN(ControlMessage message, channel.receive([&] { return cdp.pump(); }));
  const auto notice = BundleNotice::decode(message.bytes);
  if (!notice || notice->id != job.id) {
    if (message.descriptor >= 0) close(message.descriptor);
    return stop(Outcome::failed);
  }
  auto bundle = Bundle::receive(message.descriptor, job.id);
  if (!bundle) return stop(Outcome::failed);
  auto values = Values::create(std::move(*bundle), job);
  if (!values) return stop(Outcome::failed);
  return std::move(*values);
}

Step<void> type_and_settle(Channel& channel, Cdp& cdp, Page& page, const Job& job, Filler& filler) {
  if (!channel.send(Ready{job.id, filler.reports()}.encode())) return stop(Outcome::stopped);
  PV_ASSIGN(const Values values, receive_values(channel, cdp, job));
  if (page.changed()) return stop(Outcome::navigated);
  PV_TRY(filler.fill(values));
  return filler.settle();
}

Done fill(Channel& channel, const Job& job) {
  Done done{job.id, Outcome::failed, false, false, {}};
  const auto ended = [&](const Failure& failure) {
    done.outcome = failure.outcome;
    done.fields = failure.fields;
    return done;
  };
  if (job.guarded && !channel.has_pipe()) return ended(Failure{Outcome::failed, {}});
  Cdp cdp(channel, job.guarded);
  Page page(cdp, job);
  if (const auto opened = cdp.open(); !opened) return ended(opened.error());
  if (const auto attached = page.attach(); !attached) return ended(attached.error());
  auto found = search(cdp, page, job);
  if (!found) return ended(found.error());
  if (const auto priced = check_price(page, job); !priced) return ended(priced.error());

  // Part of a login is often asked for on the next page.
  std::vector<FieldReport> absent;
  if (job.kind == Kind::login) absent = std::move(found->choice.absent);
  Filler filler(cdp, page, std::move(found->choice.picks), std::move(found->frames), std::move(absent));
  const auto filled = type_and_settle(channel, cdp, page, job, filler);
  done.outcome = filled ? Outcome::filled : filled.error().outcome;
  done.typed = filler.typed();
  if (!filled && filler.typed()) {
    channel.ignore_control();
    channel.set_deadline(Clock::now() + kClearFor);
    done.cleared = filler.clear();
  }
  done.fields = filler.reports();
  return done;
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
