// Makes the crypto libraries ready.
//
// OpenSSL is started without its configuration file and without what OPENSSL_CONF names: a file of the user
// must not choose what computes our keys. Aborts when a library does not start: nothing can be done without
// it. Idempotent, any thread; the other headers of this room call it themselves, `main` calls it early so
// that nothing is opened after the sandbox is up.
#pragma once

namespace popvault::crypto {

void initialise();

}  // namespace popvault::crypto
