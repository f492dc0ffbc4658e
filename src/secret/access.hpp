// The token that reads secret bytes.
//
// SecretAccess can be made only in targets built with POPVAULT_MAY_REVEAL (MAY_REVEAL in their CMakeLists):
// a search for `reveal` and for that word is the audit of who reads secrets.
#pragma once

namespace popvault {

class SecretAccess {
#ifdef POPVAULT_MAY_REVEAL
 public:
  SecretAccess() = default;
#else
 private:
  SecretAccess() = default;
#endif
};

}  // namespace popvault
