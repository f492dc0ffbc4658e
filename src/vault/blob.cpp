#include "vault/blob.hpp"

#include "crypto/aead.hpp"
#include "crypto/random.hpp"
#include "os/atomic_file.hpp"
#include "secret/arena.hpp"
#include "vault/record_name.hpp"

namespace popvault {
namespace {

constexpr std::size_t kMaxBlob = kMaxFieldsSize + crypto::kAeadOverhead;
constexpr std::string_view kEnding = ".enc";

tl::unexpected<Error> corrupt(const char* why) { return fail(Errc::state_corrupt, why); }

Status check_place(const BlobPlace& place, std::string_view vault_id) {
  if (valid_record_name(place.record) && valid_record_name(place.kind) && valid_record_name(vault_id))
    return {};
  return corrupt("a record has a malformed name");
}

std::string folder(const std::string& home, std::string_view kind, std::uint32_t epoch) {
  return home + "/blobs/" + std::string(kind) + '/' + std::to_string(epoch);
}

Result<std::string> blob_path(const std::string& home, std::string_view kind, std::uint32_t epoch,
                              std::string_view blob_id) {
  if (!valid_record_name(kind) || !valid_record_name(blob_id)) return corrupt("a blob has a malformed name");
  return folder(home, kind, epoch) + '/' + std::string(blob_id) + std::string(kEnding);
}

}  // namespace

std::string blob_associated_data(const BlobPlace& place, std::string_view vault_id) {
  std::string out = "{\"epoch\":" + std::to_string(place.epoch);
  out.append(",\"record\":\"").append(place.record);
  out.append("\",\"type\":\"").append(place.kind);
  out.append("\",\"vault\":\"").append(vault_id);
  out.append("\",\"version\":").append(std::to_string(place.version)).append("}");
  return out;
}

Result<Bytes> seal_record(const Keyring& keys, const BlobPlace& place, const SecretFields& fields) {
  PV_TRY(check_place(place, keys.vault_id()));
  if (fields.size() == 0) return fail(Errc::internal, "a record without fields");
  PV_ASSIGN(const SecretBytes key, keys.record_key(place.epoch, place.record));
  return crypto::seal(key, fields.reveal(SecretAccess{}),
                      as_bytes(blob_associated_data(place, keys.vault_id())));
}

Result<std::size_t> open_record_into(const SecretBytes& record_key, std::string_view vault_id,
                                     const BlobPlace& place, ByteView blob, std::span<std::uint8_t> out) {
  const auto refuse = [&](const char* why) {
    wipe(out.data(), out.size());
    return corrupt(why);
  };
  if (!check_place(place, vault_id)) return refuse("a record has a malformed name");
  if (blob.size() > kMaxBlob) return refuse("a blob is too large");
  const auto size = crypto::open_into(record_key, blob, as_bytes(blob_associated_data(place, vault_id)), out);
  if (!size && size.error().code == Errc::internal) return size;
  if (!size) return refuse("a blob does not open");
  if (!SecretFields::well_formed(out.first(*size))) return refuse("a blob has malformed content");
  return size;
}

Result<std::size_t> open_record_into(const Keyring& keys, const BlobPlace& place, ByteView blob,
                                     std::span<std::uint8_t> out) {
  const Result<SecretBytes> key = keys.record_key(place.epoch, place.record);
  if (!key) {
    wipe(out.data(), out.size());
    return tl::unexpected(key.error());
  }
  return open_record_into(*key, keys.vault_id(), place, blob, out);
}

Result<SecretFields> open_record(const Keyring& keys, const BlobPlace& place, ByteView blob) {
  SecretBytes block = SecretBytes::zeros(blob.size());
  PV_ASSIGN(const std::size_t size, open_record_into(keys, place, blob, block.reveal(SecretAccess{})));
  block.shrink(size);
  return SecretFields::parse(std::move(block));
}

std::string new_blob_id() { return "blb_" + crypto::random_token(26); }

Status write_blob(Fs& fs, const std::string& home, std::string_view kind, std::uint32_t epoch,
                  std::string_view blob_id, ByteView blob) {
  PV_ASSIGN(const std::string path, blob_path(home, kind, epoch, blob_id));
  PV_TRY(ensure_private_dir(fs, home + "/blobs"));
  PV_TRY(ensure_private_dir(fs, home + "/blobs/" + std::string(kind)));
  PV_TRY(ensure_private_dir(fs, folder(home, kind, epoch)));
  return write_atomic(fs, path, blob);
}

Result<Bytes> read_blob(Fs& fs, const std::string& home, std::string_view kind, std::uint32_t epoch,
                        std::string_view blob_id) {
  PV_ASSIGN(const std::string path, blob_path(home, kind, epoch, blob_id));
  Result<Bytes> blob = read_owned(fs, path, kMaxBlob);
  if (blob) return blob;
  if (blob.error().code == Errc::not_found) return corrupt("a blob is missing");
  if (blob.error().code == Errc::vault_corrupt) return corrupt("a blob is too large");
  return blob;
}

Status remove_blob(Fs& fs, const std::string& home, std::string_view kind, std::uint32_t epoch,
                   std::string_view blob_id) {
  PV_ASSIGN(const std::string path, blob_path(home, kind, epoch, blob_id));
  return remove_file(fs, path);
}

Result<std::vector<std::string>> list_blobs(Fs& fs, const std::string& home, std::string_view kind,
                                            std::uint32_t epoch) {
  if (!valid_record_name(kind)) return corrupt("a blob has a malformed name");
  PV_ASSIGN(const std::vector<std::string> names, list_dir(fs, folder(home, kind, epoch)));
  std::vector<std::string> out;
  for (const std::string& name : names) {
    const std::string_view view = name;
    if (!view.ends_with(kEnding)) continue;
    const std::string_view id = view.substr(0, view.size() - kEnding.size());
    if (valid_record_name(id)) out.emplace_back(id);
  }
  return out;
}

}  // namespace popvault
