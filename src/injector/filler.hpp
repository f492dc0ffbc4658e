// Puts the values into the chosen fields, reads them back, and empties them again when one did not stay.
//
// A value travels inside one call into the isolated world of the checked document: the browser refuses the call when
// that document is gone, and in it no script of the page runs between the last check and the typing. Only where a
// page wants real key presses are they sent, one at a time, to the process of the checked frame, and the focus is
// checked before and after each.
#pragma once

#include "injector/survey.hpp"
#include "injector/values.hpp"

namespace popvault::injector {

class Filler {
 public:
  // `frames` as in Found. `absent` is reported with the picks. `aliases`: what it types is not secret, and takes the way
  // of any command.
  Filler(Cdp& cdp, Page& page, std::vector<Candidate> picks, std::vector<std::string> frames,
         std::vector<FieldReport> absent = {}, bool aliases = false);

  // All fields, one frame after the other. Fails with field_rejected or navigated; what was typed stays until clear().
  Step<void> fill(const Values& values);
  // Leaves the last field, gives the page a moment, and compares all fields and documents once more. Fails with
  // fields_missing when a required field for the holder's name is left empty.
  Step<void> settle();
  // Empties every field that was typed into; true when all of them read back empty.
  bool clear();

  bool typed() const { return typed_; }
  std::set<std::string> frames() const;
  bool has(Field field) const;
  // One report per field; boxes of one value are one field.
  std::vector<FieldReport> reports() const;

 private:
  struct Work {
    Candidate pick;
    Why why = Why::ok;
    bool left = false;  // after clear(): it still holds something
  };

  void ask_documents();
  Step<void> ask_listeners();
  // The page listens for a field that is left, so that it may do something about it later.
  Step<bool> listens();
  Step<void> fill_frame(const Values& values, const std::vector<std::size_t>& works);
  Step<void> fill_works(const Values& values, const Frame& frame, const std::vector<std::size_t>& works);
  Step<std::vector<int>> call_fill(const Values& values, const Frame& frame,
                                   const std::vector<std::size_t>& works);
  Step<void> finish(const Values& values, const Frame& frame, Work& work, int state);
  Step<void> step_select(const Frame& frame, Work& work);
  Step<bool> type_keys(const Values& values, const Frame& frame, const Work& work, Shape shape);
  Step<bool> press(const Frame& frame, const Work& work, ByteView character);
  Step<bool> press_half(const Frame& frame, ByteView character, bool down);
  bool clear_by_finder();
  // A row [index, flag] of the finder.
  static bool says(const Json& row, int index, bool flag);
  Step<void> erase(const Frame& frame, const Work& work);
  // `wait`: the frames around it may learn of it a moment later.
  Step<bool> frame_has_focus(const Frame& frame, bool wait);
  // Keys go into this field, as far as its frame and those around it know.
  Step<bool> has_focus(const Frame& frame, const Work& work);
  // The way of every secret to the browser: nothing goes after the daemon hung up.
  Step<Cdp::Id> send(SecretFrame& command, const Frame& frame);
  // A flag that the finder gives; false also when it could not be asked.
  Step<bool> flag(const Frame& frame, std::string_view function, int index);
  Step<void> key(const Frame& frame, std::string_view name, int code);
  Step<void> unchanged();
  const Frame* frame_of(const Work& work) const { return page_.frame(frames_[work.pick.frame]); }
  tl::unexpected<Failure> reject(Work& work, Why why);

  Cdp& cdp_;
  Page& page_;
  std::vector<Work> works_;
  std::vector<std::string> frames_;
  std::vector<FieldReport> absent_;
  std::vector<std::pair<std::string, Cdp::Id>> documents_;  // session, and the question for the document's object
  std::vector<Cdp::Id> listeners_;
  bool aliases_;
  bool typed_ = false;
  bool lacks_holder_ = false;
};

}  // namespace popvault::injector
