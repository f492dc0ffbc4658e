#include "injector/sealed_fill.hpp"

#include <algorithm>

#include "injector/press.hpp"
#include "wire/recipe.hpp"

namespace popvault::injector {
namespace {

using std::chrono::milliseconds;

constexpr std::uint32_t kMostSealedMs = 60'000;
constexpr milliseconds kLookEvery{250};
constexpr milliseconds kClearFor{1500};

}  // namespace

SealedFill::SealedFill(Conversation& talk, Cdp& cdp, Page& page, Filler& filler)
    : talk_(talk), cdp_(cdp), page_(page), filler_(filler) {
  for (const std::string& id : filler.frames())
    if (const Frame* const frame = page.frame(id)) loaders_[id] = frame->loader;
}

Json SealedFill::target() const {
  Json out;
  out.set("targetId", page_.top() == nullptr ? "" : page_.top()->id);
  return out;
}

Step<void> SealedFill::seal() {
  Json params = target();
  Json::Array frames;
  for (const auto& [id, loader] : loaders_) frames.emplace_back(id);
  params.set("frameIds", std::move(frames));
  PV_ASSIGN(const Cdp::Reply reply, cdp_.wait(cdp_.send("Popvault.seal", std::move(params))));
  if (!reply.ok) return stop(Outcome::page_tainted);
  sealed_ = true;
  // A document that came since the fields were found is another one than was asked about.
  PV_TRY(page_.confirm_documents());
  if (page_.changed()) return stop(Outcome::navigated);
  return {};
}

Step<void> SealedFill::fill() {
  PV_TRY(seal());
  PV_TRY(talk_.ready(filler_.reports()));
  PV_ASSIGN(const Values card, talk_.receive_values());
  if (page_.changed()) return stop(Outcome::navigated);
  PV_TRY(filler_.fill(card));
  PV_TRY(filler_.settle());
  return talk_.signal(Message::armed);
}

bool SealedFill::documents_gone() const {
  return std::all_of(loaders_.begin(), loaders_.end(), [&](const auto& item) {
    const Frame* const frame = page_.frame(item.first);
    return frame == nullptr || (!frame->loader.empty() && frame->loader != item.second);
  });
}

Step<void> SealedFill::watch() {
  const Job& job = talk_.job();
  const Clock::time_point until = Clock::now() + milliseconds(std::min(job.armed_ms, kMostSealedMs));
  talk_.channel().set_deadline(until + milliseconds(kAnswerMs));
  if (job.submit) {
    std::vector<std::string> selectors;
    for (const std::string& text : job.recipes)
      if (const auto recipe = wire::Recipe::parse(text); recipe && !recipe->submit.empty())
        selectors.push_back(recipe->submit);
    PV_TRY(press_submit(cdp_, page_, filler_.frames(), selectors));
  }
  while (Clock::now() < until) {
    PV_TRY(cdp_.poll(std::min(until, Clock::now() + kLookEvery)));
    if (!page_.left()) continue;
    PV_TRY(page_.confirm_documents());
    if (documents_gone()) return {};
  }
  return {};
}

Done SealedFill::run() {
  Step<void> done = fill();
  if (done) done = watch();
  Done out{talk_.job().id, done ? Outcome::filled : done.error().outcome, filler_.typed(), false, {}};
  talk_.channel().ignore_control();
  talk_.channel().set_deadline(Clock::now() + kClearFor);
  const bool gone = documents_gone();
  if (filler_.typed() && !gone) out.cleared = filler_.clear();
  // What could not be emptied stays sealed: the guard waits until the documents are gone.
  if (sealed_ && (!filler_.typed() || gone || out.cleared)) (void)cdp_.ask_guard("Popvault.unseal", target());
  out.fields = filler_.reports();
  return out;
}

}  // namespace popvault::injector
