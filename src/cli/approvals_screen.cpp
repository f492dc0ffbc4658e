#include "cli/approvals_screen.hpp"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "base/display.hpp"
#include "cli/alternate_screen.hpp"
#include "cli/approvals_view.hpp"
#include "cli/owner_session.hpp"
#include "cli/purchase_list.hpp"

namespace popvault::cli {
namespace {

using Steady = std::chrono::steady_clock;
constexpr std::chrono::seconds kAtTheLatest{30};      // between two looks, whatever the events say
constexpr std::chrono::milliseconds kAtTheEarliest{200};
constexpr std::chrono::seconds kWhenOver{3};
constexpr std::chrono::milliseconds kEscape{50};      // the rest of a key of many bytes comes at once

enum class Key : std::uint8_t { none, up, down, page_up, page_down, first, last, enter, back, approve, deny, yes, quit, other };

struct Sequence {
  std::string_view bytes;
  Key key;
};
constexpr Sequence kSequences[] = {
    {"\x1b[A", Key::up},      {"\x1bOA", Key::up},       {"\x1b[B", Key::down},     {"\x1bOB", Key::down},
    {"\x1b[5~", Key::page_up}, {"\x1b[6~", Key::page_down}, {"\x1b[H", Key::first},  {"\x1bOH", Key::first},
    {"\x1b[1~", Key::first},  {"\x1b[F", Key::last},     {"\x1bOF", Key::last},     {"\x1b[4~", Key::last},
    {"k", Key::up},           {"j", Key::down},          {"g", Key::first},         {"G", Key::last},
    {"\r", Key::enter},       {"\n", Key::enter},        {"a", Key::approve},       {"d", Key::deny},
    {"y", Key::yes},          {"q", Key::quit},
};

// The key at the start of what was typed, which is taken away. An unknown sequence is one key of no meaning.
Key take_key(std::string& typed) {
  for (const Sequence& one : kSequences) {
    if (!typed.starts_with(one.bytes)) continue;
    typed.erase(0, one.bytes.size());
    return one.key;
  }
  if (typed == "\x1b") return typed.clear(), Key::back;
  if (!typed.starts_with("\x1b[") && !typed.starts_with("\x1bO")) return typed.erase(0, 1), Key::other;
  const std::size_t end = std::find_if(typed.begin() + 2, typed.end(), [](char c) { return c >= 0x40 && c <= 0x7e; }) - typed.begin();
  typed.erase(0, end + 1);
  return Key::other;
}

bool whole_key(std::string_view typed) {
  if (!typed.starts_with("\x1b")) return true;
  return typed.size() > 2 ? typed.find_first_of("~ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", 2) != typed.npos : false;
}

class Watching {
 public:
  Watching(const Context& context, OwnerSession& session, int terminal, AlternateScreen screen)
      : context_(context), session_(session), terminal_(terminal), screen_(std::move(screen)) {}

  Status run() {
    session_.connection().keep_events();
    PV_TRY(session_.call("events.subscribe", Json::Object{{"client", "approvals"}}));
    PV_ASSIGN(const Json status, session_.call("vault.status"));
    frozen_ = status["frozen"].bool_or(false);
    locked_ = status["state"].text_or("") == "locked";
    while (!over_) {
      PV_TRY(take_events());
      PV_TRY(look_if_due());
      draw();
      wait();
      take_signals();
      PV_TRY(take_keys());
    }
    return {};
  }

 private:
  Status take_events() {
    while (true) {
      PV_ASSIGN(const auto event, session_.connection().next_event());
      if (!event) return {};
      const std::string what = (*event)["what"].text_or("");
      if (what == "locked") locked_ = true, proved_ = false, list_.clear(), view_.message.clear();
      if (what == "unlocked") locked_ = false;
      if (what == "frozen" || what == "unfrozen") frozen_ = what == "frozen";
      if (what == "purchase" && (*event)["purchase"].text_or("") == chosen_id()) ended_as_ = (*event)["status"].text_or("");
      due_ = true;
    }
  }

  std::string chosen_id() const { return list_.chosen() == nullptr ? std::string() : (*list_.chosen())["purchase"].text_or(""); }

  Steady::time_point next_look() const { return looked_ + (due_ ? Steady::duration(kAtTheEarliest) : Steady::duration(kAtTheLatest)); }

  Status look_if_due() {
    // The daemon's clock decides, and may be another one.
    if (list_.any_over(system_clock().now()) && Steady::now() >= looked_ + kWhenOver) due_ = true;
    if (looked_ != Steady::time_point{} && Steady::now() < next_look()) return {};
    due_ = false;
    looked_ = Steady::now();
    if (locked_) return {};
    const auto purchases = purchases_with(session_, "awaiting_approval", kMostListed);
    if (!purchases && purchases.error().code == Errc::locked) return locked_ = true, list_.clear(), Status{};
    // A page began with a purchase that is gone by now: once more.
    if (!purchases && purchases.error().code == Errc::not_found) return due_ = true, Status{};
    if (!purchases) return tl::unexpected(purchases.error());
    PV_TRY(take_events());  // what this look itself ended
    if (locked_) return {};
    const bool was_empty = list_.items().empty();
    const bool gone = list_.set(*purchases->array(), answered_);
    if (gone && !answered_) view_.message = "What was chosen is " + (ended_as_.empty() ? "gone" : escape_ascii(ended_as_)) + ".";
    if (gone) view_.details = false, answered_ = false, ended_as_.clear();
    if (was_empty && !gone) list_.move(1);
    return {};
  }

  // Only what changed is written, so that nothing flickers.
  void draw() {
    const WindowSize size = window_size(terminal_);
    if (size != drawn_size_) drawn_.clear(), screen_.clear();
    drawn_size_ = size;
    view_.state = locked_ ? "locked" : frozen_ ? "frozen" : "";
    const std::vector<std::string> page = approvals_page(list_, view_, size, system_clock().now());
    std::string out;
    for (std::size_t row = 0; row < page.size(); ++row)
      if (row >= drawn_.size() || drawn_[row] != page[row])
        out += "\x1b[" + std::to_string(row + 1) + ";1H\x1b[K" + page[row];
    if (!out.empty()) write_to_terminal(terminal_, "\x1b[?7l" + out + "\x1b[?7h");  // no line is continued on the next
    drawn_ = page;
  }

  void redraw() {
    drawn_.clear();
    drawn_size_ = {0, 0};
  }

  // For keys, signals, the daemon, the next second of a countdown, the next look.
  void wait() {
    auto until = next_look();
    if (!list_.items().empty()) until = std::min(until, Steady::now() + std::chrono::milliseconds(1000 - system_ms() % 1000));
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Steady::now()).count();
    std::array<pollfd, 3> wanted{{{terminal_, POLLIN, 0}, {screen_.signals().descriptor(), POLLIN, 0},
                                  {session_.connection().descriptor(), POLLIN, 0}}};
    poll(wanted.data(), wanted.size(), static_cast<int>(std::clamp<std::int64_t>(left, 0, 30'000)));
    // A terminal that went away: SIGHUP comes only to those who have it as their controlling one.
    if ((wanted[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) over_ = true;
  }

  static std::int64_t system_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  }

  void take_signals() {
    while (const int signal = screen_.signals().take()) {
      if (signal == SIGTSTP) screen_.stop_here(), redraw();
      if (signal == SIGCONT) screen_.enter_again(), redraw();
      if (signal == SIGWINCH) redraw();
    }
    if (screen_.signals().ended()) over_ = true;
  }

  Status take_keys() {
    if (over_) return {};
    std::string typed;
    std::array<char, 256> part{};
    pollfd more{terminal_, POLLIN, 0};
    do {
      const ssize_t n = read(terminal_, part.data(), part.size());
      if (n <= 0) break;
      typed.append(part.data(), static_cast<std::size_t>(n));
    } while (!whole_key(typed) && poll(&more, 1, static_cast<int>(kEscape.count())) > 0);
    while (!typed.empty() && !over_) PV_TRY(press(take_key(typed)));
    return {};
  }

  Status press(Key key) {
    const bool asked = std::exchange(asking_, false);
    if (asked && key != Key::yes) view_.message = "Not approved.";
    if (asked) return key == Key::yes ? approve() : Status{};
    switch (key) {
      case Key::quit:
        over_ = true;
        return {};
      case Key::enter:
      case Key::back:
        view_.details = key == Key::enter && !view_.details;
        view_.top = 0;
        return {};
      case Key::approve:
        return begin_to_approve();
      case Key::deny:
        return deny();
      default:
        move(key);
        return {};
    }
  }

  void move(Key key) {
    const long page = std::max(1L, (static_cast<long>(drawn_size_.rows) - 3) / 2);
    const long all = 1'000'000;
    const long by = key == Key::up ? -1 : key == Key::down ? 1 : key == Key::page_up ? -page : key == Key::page_down ? page
                    : key == Key::first ? -all : key == Key::last ? all : 0;
    if (by == 0) return;
    view_.message.clear();
    if (!view_.details) return list_.move(by);
    view_.top = static_cast<std::size_t>(std::max(0L, std::min(static_cast<long>(view_.top) + by, 1000L)));
  }

  // The whole of it is on the screen before the passphrase is asked for.
  Status begin_to_approve() {
    if (list_.chosen() == nullptr) return {};
    view_.details = true;
    view_.top = 0;
    if (!asks_for_nothing()) return approve();
    // One key would be enough to pay.
    asking_ = true;
    view_.message = "Approve this? y: yes, any other key: no";
    return {};
  }

  // No passphrase is typed: there is none, an authenticator signs, or the proof of an earlier approval is kept.
  bool asks_for_nothing() { return session_.machine_mode() || gives_signer(context_.args) || keeps_proofs(); }
  bool keeps_proofs() {
    if (!proved_) return false;
    const auto settings = session_.call("config.get", Json::Object{{"key", "approvals.proof"}});
    return settings && (*settings)["settings"]["approvals.proof"].text_or("") == "session";
  }

  Status approve() {
    const std::string id = chosen_id();
    if (id.empty()) return {};
    view_.message.clear();
    draw();
    const unsigned row = std::max(2U, drawn_size_.rows) - 1;
    write_to_terminal(terminal_, "\x1b[" + std::to_string(row) + ";1H\x1b[J");
    screen_.read_lines();
    const auto result = call_kept(context_, session_, "purchase.approve", Json::Object{{"purchase", id}}, "approve this (nothing: back)");
    proved_ = proved_ || result.has_value();
    screen_.read_keys();
    redraw();
    return answered(id, result, "approved");
  }

  Status deny() {
    const std::string id = chosen_id();
    if (id.empty()) return {};
    return answered(id, session_.call("purchase.deny", Json::Object{{"purchase", id}}), "denied");
  }

  // What is wrong with one answer is shown; only a lost daemon ends the screen.
  Status answered(const std::string& id, const Result<Json>& result, std::string_view done) {
    due_ = true;
    looked_ = {};
    if (result) {
      answered_ = true;
      view_.details = false;
      view_.message = escape_ascii(id) + " is " + std::string(done) + ".";
      return {};
    }
    if (result.error().code == Errc::daemon_unreachable) return tl::unexpected(result.error());
    view_.message = result.error().code == Errc::usage ? "Not " + std::string(done) + "."
                                                       : "Not " + std::string(done) + ": " + escape_ascii(result.error().message()) + ".";
    return {};
  }

  const Context& context_;
  OwnerSession& session_;
  int terminal_;
  AlternateScreen screen_;
  ApprovalList list_;
  ApprovalsView view_;
  WindowSize drawn_size_{0, 0};
  std::vector<std::string> drawn_;
  Steady::time_point looked_{};
  std::string ended_as_;
  bool due_ = true, answered_ = false, asking_ = false;
  bool proved_ = false;  // something was approved on this connection
  bool locked_ = false, frozen_ = false, over_ = false;
};

}  // namespace

Status watch_approvals(const Context& context) {
  auto terminal = open_own_terminal("approvals");
  if (context.args.json || !terminal || isatty(STDIN_FILENO) == 0)
    return fail(Errc::usage, "--watch is for a terminal with an alternate screen; popvault approvals lists them once");
  PV_ASSIGN(OwnerSession session, OwnerSession::open(context));
  PV_TRY(session.require_unlocked());
  PV_ASSIGN(AlternateScreen screen,
            AlternateScreen::enter(terminal->get(), AlternateScreen::Input::keys, {SIGWINCH, SIGTSTP, SIGCONT}));
  return Watching(context, session, terminal->get(), std::move(screen)).run();
}

}  // namespace popvault::cli
