// rotate, epochs.
#include <chrono>
#include <thread>

#include "cli/command.hpp"
#include "cli/owner_session.hpp"

namespace popvault::cli {
namespace {

std::string epoch_line(const Json& epoch) {
  const std::string status = epoch["status"].text_or("?");
  std::string out = "epoch " + std::to_string(epoch["epoch"].int_or(0)) + "  " + status + "  since " +
                    epoch["begun_at"].text_or("?");
  if (status != "destroyed") out += "  " + std::to_string(epoch["records"].int_or(0)) + " records";
  if (status == "draining") out += ", gone by " + epoch["deadline"].text_or("?");
  if (status == "destroyed") out += "  its key was destroyed " + epoch["destroyed_at"].text_or("?");
  return out + "\n";
}

std::int64_t draining(const Json& epochs) {
  std::int64_t count = 0;
  if (const auto* list = epochs["epochs"].array())
    for (const Json& epoch : *list) count += epoch["status"].text_or("") == "draining" ? 1 : 0;
  return count;
}

// Until every older key is gone, or only records that cannot be read hold one.
Result<Json> wait_for_sweep(OwnerSession& session) {
  while (true) {
    PV_ASSIGN(Json now, session.call("vault.epochs"));
    if (draining(now) == 0 || !now["sweeping"].bool_or(false)) return now;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

}  // namespace

Result<Output> rotate_epoch(const Context& context) {
  const bool now = context.args.epoch.now;
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_ASSIGN(Json out, call_proved(context, session, "vault.rotate", Json::Object{{"now", now}}, "rotate the keys"));
  std::string text = "epoch " + std::to_string(out["epoch"].int_or(0)) + " has begun\n";
  if (!now) {
    text += std::to_string(out["records"].int_or(0)) +
            " records move to it when they are used, or by themselves within 14 days (--now moves them at once)\n";
    return Output{out, std::move(text)};
  }
  PV_ASSIGN(const Json after, wait_for_sweep(session));
  const std::int64_t left = draining(after);
  out.set("draining", left);
  if (left == 0) return Output{out, text + "every older key is gone\n"};
  return fail(Errc::epoch_in_use, "left where they are, because they cannot be read: " +
                                      std::to_string(after["unreadable"].int_or(0)) + "; see popvault doctor");
}

Result<Output> list_epochs(const Context& context) {
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  if (session.state() == "uninitialised") return fail(Errc::vault_missing);
  PV_ASSIGN(const Json epochs, session.call("vault.epochs"));
  Output out{epochs, {}};
  if (const auto* list = epochs["epochs"].array())
    for (const Json& epoch : *list) out.text += epoch_line(epoch);
  out.text += "the next rotation is due " + epochs["due_at"].text_or("at the next unlock") +
              (epochs["overdue"].bool_or(false) ? " (overdue: unlock the vault)" : "") + "\n";
  return out;
}

}  // namespace popvault::cli
