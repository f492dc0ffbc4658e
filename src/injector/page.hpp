// The page as the browser shows it to us: its sessions (one per process of its frames), its frames, and in each
// frame that may matter an isolated world with the finder in it.
//
// A frame's world is an object id that the browser ties to one document: a call through it fails when that document
// is gone. After pin(), any change to a pinned frame or to a frame around it makes changed() true for good, and left()
// when such a document is gone for good.
#pragma once

#include <deque>
#include <map>
#include <set>

#include "injector/cdp.hpp"
#include "injector/target.hpp"

namespace popvault::injector {

// The frame's element in its parent's document.
struct Owner {
  std::string session;     // where it was asked for: the parent's
  std::int64_t node = 0;   // its backend node id there
  std::uint64_t made = 0;  // the parent's record in whose world the object is
  std::string object;
};

struct Frame {
  std::string id, parent, session, loader, url, name;
  std::uint64_t made = 0;           // another number for each record: what an earlier one asked for is not its own
  std::uint8_t origin = kNoOrigin;  // by URL and security origin
  std::int64_t context = 0;         // of the isolated world; 0: not made yet
  std::string world;                // object id of the finder there; empty: not there yet
  Owner owner;
  Json scan;                        // what the finder saw last
  bool asked = false;               // a world was asked for
  bool blank = false;               // still the empty document that a frame begins with
};

// Of a frame and all around it. unknown: not all of them have been seen yet.
enum class Place { listed, unlisted, unknown };

class Page {
 public:
  Page(Cdp& cdp, const Job& job);

  // Finds the page (or takes this target), looks at the browser's command line and attaches.
  Step<void> attach(std::string target = {});
  // Learns what frames there are now and scans those of listed origins, or all of them.
  Step<void> survey(bool unlisted_too);
  // Looks for closed shadow roots, which the finder cannot see by itself, and gives them to it.
  Step<void> open_closed_roots();

  std::map<std::string, Frame>& frames() { return frames_; }
  const Frame* top() const;
  const Frame* frame(const std::string& id) const;
  Place place(const Frame& frame) const;
  // The frame's element as an object of its parent's world; empty when it is not known, or not any more.
  std::string owner(const Frame& frame) const;

  // Calls a method of the finder in the frame's world. `args` as CDP's CallArgument array.
  Cdp::Id call(const Frame& frame, std::string_view function, Json::Array args = {}, bool await = false);
  // Its value; none when the world is gone or the script failed.
  Step<std::optional<Json>> value(Cdp::Id id);
  // The objectId of the frame's world and of what a secret call needs, as the text of the members of its params.
  static std::string call_head(const Frame& frame, std::string_view function);

  void pin(const std::set<std::string>& frames);
  bool changed() const { return changed_; }
  bool left() const { return left_; }
  std::vector<std::string> sessions() const;
  // A frame is on its way to a document of a listed origin.
  bool awaits_document() const { return !coming_.empty(); }
  // Asks the browser again which documents there are and compares with the pinned ones.
  Step<void> confirm_documents();

 private:
  struct Session {
    std::string id, root, parent;
    bool started = false;
  };
  using Then = std::function<void(const Cdp::Reply&)>;
  using FrameThen = std::function<void(Frame&, const Cdp::Reply&)>;

  void ask(Cdp::Id id, Then then) { pending_.emplace_back(id, std::move(then)); }
  // Nothing happens when the frame's record is another one by then.
  void ask(const Frame& frame, Cdp::Id id, FrameThen then);
  // Waits for all answers, and for those of the questions that they led to.
  Step<void> drain();
  void on_event(const Cdp::Event& event);
  void going(const std::string& frame_id);
  void gone(const std::string& frame_id);
  Frame* find(const std::string& frame_id);
  // A record of a frame that nothing is known of.
  Frame& begin(const std::string& frame_id, const std::string& session);
  // The frame with a new document: its place in the page is the same.
  void renew(Frame& frame);
  // The session of the frame's own process, empty when it shares that of its parent.
  std::string own_session(const std::string& frame_id) const;
  void start(const std::string& session, const std::string& root, const std::string& parent_session);
  // And the sessions that were told of there.
  void end(const std::string& session);
  void ask_tree(const std::string& session);
  void take_tree(const std::string& session, const Json& tree, std::set<std::string>& seen);
  void ask_world(Frame& frame);
  void load_finder(Frame& frame);
  // Whatever is still to be known of the frame's element.
  void ask_owner(Frame& frame);
  void ask_owner_node(Frame& frame, const std::string& session);
  void ask_scan(const Frame& frame);
  bool wanted(const Frame& frame) const { return unlisted_too_ || frame.origin != kNoOrigin; }
  void find_roots(const std::string& session, const Json& node, const std::string& frame_id);
  void give_root(const std::string& session, const std::string& frame_id, std::int64_t node);

  Cdp& cdp_;
  const Job& job_;
  std::vector<Session> sessions_;
  std::map<std::string, Frame> frames_;
  std::deque<std::pair<Cdp::Id, Then>> pending_;
  std::set<std::string> pinned_;
  std::set<std::string> coming_;  // frames on their way to a listed origin
  std::uint64_t made_ = 0;
  bool changed_ = false;
  bool left_ = false;
  bool unlisted_too_ = false;
};

}  // namespace popvault::injector
