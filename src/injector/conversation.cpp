#include "injector/conversation.hpp"

#include <unistd.h>

namespace popvault::injector {

Step<void> Conversation::ready(std::vector<FieldReport> fields) {
  if (!channel_.send(Ready{job_.id, std::move(fields)}.encode())) return stop(Outcome::stopped);
  return {};
}

Step<void> Conversation::signal(Message type) {
  if (!channel_.send(Signal{type, job_.id}.encode())) return stop(Outcome::stopped);
  return {};
}

Step<ControlMessage> Conversation::receive() {
  return channel_.receive([&] { return cdp_.pump(); });
}

Step<void> Conversation::receive_proceed() {
  PV_ASSIGN(const ControlMessage message, receive());
  if (message.descriptor >= 0) close(message.descriptor);
  const auto signal = Signal::decode(message.bytes);
  if (!signal || signal->id != job_.id || signal->type != Message::proceed || message.descriptor >= 0)
    return stop(Outcome::failed);
  return {};
}

Step<Values> Conversation::receive_values() {
  PV_ASSIGN(const ControlMessage message, receive());
  const auto notice = BundleNotice::decode(message.bytes);
  if (!notice || notice->id != job_.id) {
    if (message.descriptor >= 0) close(message.descriptor);
    return stop(Outcome::failed);
  }
  auto bundle = Bundle::receive(message.descriptor, job_.id);
  if (!bundle) return stop(Outcome::failed);
  auto values = Values::create(std::move(*bundle), job_);
  if (!values) return stop(Outcome::failed);
  return std::move(*values);
}

Step<Values> alias_values(const Job& job) {
  SecretFields fields;
  bool ok = fields.set("number", as_bytes(job.aliases.number)) && fields.set("exp_month", as_bytes(job.aliases.exp_month)) &&
            fields.set("exp_year", as_bytes(job.aliases.exp_year));
  if (job.has_cvc) ok = ok && fields.set("cvv", as_bytes(job.aliases.cvc));
  if (job.has_holder) ok = ok && fields.set("holder", as_bytes(kHolderAlias));
  if (!ok) return stop(Outcome::failed);
  auto values = Values::create(Bundle::of(fields), job);
  if (!values) return stop(Outcome::failed);
  return std::move(*values);
}

}  // namespace popvault::injector
