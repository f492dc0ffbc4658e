// All candidate fields of a page, as of now: what the finder saw in each frame, put together with whether the frame
// may get values and can be seen from outside.
#pragma once

#include "injector/choose.hpp"
#include "injector/page.hpp"

namespace popvault::injector {

struct Found {
  std::vector<Candidate> candidates;
  std::vector<std::string> frames;  // ids, by Candidate::frame
  bool suspects = false;            // elements that may hide a closed shadow root
  bool loading = false;             // a frame of a listed origin is not complete yet
};

// One look at the page. Fails only when the browser or the daemon does.
Step<Found> look(Page& page, const Job& job, bool unlisted_too);

}  // namespace popvault::injector
