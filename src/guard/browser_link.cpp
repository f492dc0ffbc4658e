#include "guard/browser_link.hpp"

#include "log/log.hpp"

namespace popvault::guard {
namespace {

constexpr std::size_t kMaxMessage = 512 * 1024 * 1024;
// The browser's ids are 32 bits.
constexpr std::int64_t kMaxId = 0x7fff'ffff;
const Json::Limits kReply{64 * 1024 * 1024, 128};

}  // namespace

BrowserLink::BrowserLink(Loop& loop, Descriptor commands, Descriptor answers, Handlers handlers)
    : handlers_(std::move(handlers)),
      stream_(loop, std::move(answers), std::move(commands), kMaxMessage,
              {[this](std::string_view text) { take(text); }, [this] { handlers_.closed(); },
               [this] { handlers_.drained(); }}) {}

std::int64_t BrowserLink::expect(Caller& caller) {
  do last_id_ = last_id_ == kMaxId ? 1 : last_id_ + 1;
  while (waiting_.count(last_id_) != 0);
  waiting_[last_id_] = {&caller, last_id_, {}, {}};
  return last_id_;
}

std::int64_t BrowserLink::forward(Caller& caller, std::int64_t id, std::string_view method, std::string_view params,
                                  std::string_view session) {
  const std::int64_t ours = expect(caller);
  Waiting& waiting = waiting_[ours];
  waiting.id = id;
  waiting.session = session;
  stream_.send(command_text(ours, method, params, session));
  return ours;
}

void BrowserLink::call(std::string_view method, const Json& params, std::string_view session, Reply reply) {
  do last_id_ = last_id_ == kMaxId ? 1 : last_id_ + 1;
  while (waiting_.count(last_id_) != 0);
  waiting_[last_id_] = {nullptr, 0, {}, std::move(reply)};
  stream_.send(command_text(last_id_, method, params.is_null() ? "{}" : params.dump(), session));
}

void BrowserLink::forget(const Caller& caller) {
  for (auto& [id, waiting] : waiting_)
    if (waiting.caller == &caller) waiting.caller = nullptr;
}

std::vector<std::int64_t> BrowserLink::forget(const Caller& caller, std::string_view session) {
  std::vector<std::int64_t> out;
  for (auto& [id, waiting] : waiting_) {
    if (waiting.caller != &caller || waiting.session != session) continue;
    waiting.caller = nullptr;
    out.push_back(waiting.id);
  }
  return out;
}

void BrowserLink::take(std::string_view text) {
  const auto message = CdpMessage::scan(text);
  if (!message) return log_warning("a message of the browser could not be read");
  if (!message->id) return handlers_.event(*message);
  const auto found = waiting_.find(*message->id);
  if (found == waiting_.end()) return;
  const Waiting waiting = std::move(found->second);
  waiting_.erase(found);
  if (waiting.caller != nullptr) return waiting.caller->answer(waiting.id, *message);
  if (!waiting.reply) return;
  const auto result = Json::parse(message->result, kReply);
  waiting.reply(result ? *result : Json(), result && message->error.empty());
}

}  // namespace popvault::guard
