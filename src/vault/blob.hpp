// Records as blobs: blobs/<kind>/<epoch>/<blob_id>.enc = nonce || ciphertext || tag.
//
// The key is the record's own (keyring.hpp); the associated data binds a blob to its epoch, record, kind,
// vault and version, so one that was moved, swapped or kept from an older version does not open:
// state_corrupt. The plaintext is a block of SecretFields. Any thread, one writer per home.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "os/fs.hpp"
#include "secret/fields.hpp"
#include "vault/keyring.hpp"

namespace popvault {

// Which record's which version: what the associated data says besides the vault.
struct BlobPlace {
  std::uint32_t epoch = 0;
  std::string record;
  std::string kind;
  std::uint64_t version = 0;
};

// {"epoch":E,"record":"<id>","type":"<kind>","vault":"<vault_id>","version":V}
std::string blob_associated_data(const BlobPlace& place, std::string_view vault_id);

Result<Bytes> seal_record(const Keyring& keys, const BlobPlace& place, const SecretFields& fields);
// Decrypts straight into `out` (kMaxFieldsSize bytes are always enough) and gives the size of the block,
// whose form was checked. `out` is wiped on failure.
Result<std::size_t> open_record_into(const Keyring& keys, const BlobPlace& place, ByteView blob,
                                     std::span<std::uint8_t> out);
// The same with the record's key alone, as an execution grant holds it.
Result<std::size_t> open_record_into(const SecretBytes& record_key, std::string_view vault_id,
                                     const BlobPlace& place, ByteView blob, std::span<std::uint8_t> out);
Result<SecretFields> open_record(const Keyring& keys, const BlobPlace& place, ByteView blob);

// A fresh blob id: "blb_" and 26 base32 characters.
std::string new_blob_id();

// Files. A name that is not [a-z0-9_-]{1,64} and a blob that is not there are state_corrupt.
Status write_blob(Fs& fs, const std::string& home, std::string_view kind, std::uint32_t epoch,
                  std::string_view blob_id, ByteView blob);
Result<Bytes> read_blob(Fs& fs, const std::string& home, std::string_view kind, std::uint32_t epoch,
                        std::string_view blob_id);
// An absent blob is no error.
Status remove_blob(Fs& fs, const std::string& home, std::string_view kind, std::uint32_t epoch,
                   std::string_view blob_id);
// The ids of the blobs in one folder; to find those that no pointer names.
Result<std::vector<std::string>> list_blobs(Fs& fs, const std::string& home, std::string_view kind,
                                            std::uint32_t epoch);

}  // namespace popvault
