// A fill of real values behind the guard, which keeps agents from reading the page until they are gone again
// (Job::strength sealed).
#pragma once

#include "injector/conversation.hpp"
#include "injector/filler.hpp"

namespace popvault::injector {

class SealedFill {
 public:
  SealedFill(Conversation& talk, Cdp& cdp, Page& page, Filler& filler);

  // From the seal to Done. Fails with page_tainted when the guard does not seal; nothing is typed then.
  Done run();

 private:
  Step<void> seal();
  Step<void> fill();
  // Until the documents with the values are gone, or Job::armed_ms are over.
  Step<void> watch();
  bool documents_gone() const;
  Json target() const;

  Conversation& talk_;
  Cdp& cdp_;
  Page& page_;
  Filler& filler_;
  std::map<std::string, std::string> loaders_;  // of the frames that were filled
  bool sealed_ = false;
};

}  // namespace popvault::injector
