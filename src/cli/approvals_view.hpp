// What `popvault approvals --watch` shows, as lines of text: no terminal, no daemon, no clock of its own.
//
// Every line fits into the window and holds only characters of one column (fit() of base/display.hpp): what an agent wrote
// cannot move, hide or turn anything. Amount, merchant, card and strength stand above what the agent says.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/alternate_screen.hpp"
#include "os/clock.hpp"
#include "rpc/json.hpp"

namespace popvault::cli {

// The purchases that wait, oldest first, and which one is chosen.
class ApprovalList {
 public:
  // The items of purchase.list. The chosen one stays chosen; when it is gone none is, unless `go_on` (the owner has just
  // answered it): then the next one. Gives whether the chosen one is gone.
  bool set(const Json::Array& purchases, bool go_on);
  void clear() { items_.clear(), chosen_.clear(); }

  const std::vector<Json>& items() const noexcept { return items_; }
  // Null when none is chosen.
  const Json* chosen() const noexcept;
  std::optional<std::size_t> place() const noexcept;
  // By so many places, within the list; the first or the last where none is chosen.
  void move(long by);
  // Whether the time of one is over.
  bool any_over(Seconds now) const;

 private:
  std::vector<Json> items_;
  std::string chosen_;
  std::size_t last_place_ = 0;
};

struct ApprovalsView {
  bool details = false;
  std::size_t top = 0;   // first item of the list, or first line of the details; kept within what there is
  std::string state;     // "locked", "frozen" or empty
  std::string message;   // one line about what was last done; of ours, or escaped
};

// As many lines as the window has rows; `view.top` is moved so that the chosen one is seen.
std::vector<std::string> approvals_page(const ApprovalList& list, ApprovalsView& view, WindowSize size, Seconds now);

// "9:41 left", "over".
std::string time_left(const Json& purchase, Seconds now);

}  // namespace popvault::cli
