// One record as an entry of a backup: a flat JSON object of strings, made and read in secret memory.
//
//   {"id":..,"kind":..,"alias":..,"label":..,"created_at":"2026-11-22T05:31:00Z",["trashed_at":..,]
//    "field.NAME":VALUE,...}
//
// A value that is no UTF-8 stands as lower-case hex under "hex.NAME" instead. A reader takes the members in
// this order and no others. Any thread.
#pragma once

#include <optional>
#include <string>

#include "os/clock.hpp"
#include "secret/fields.hpp"

namespace popvault {

// The worst case: every byte of 16 KiB of fields becomes an escape of six.
constexpr std::size_t kMaxRecordEntry = 128 * 1024;

struct RecordInfo {
  std::string id;  // [a-z0-9_], at most 64
  std::string kind;
  std::string alias;
  std::string label;
  Seconds created_at = 0;
  std::optional<Seconds> trashed_at;
  bool operator==(const RecordInfo&) const = default;
};

struct BackupRecord {
  RecordInfo info;
  SecretFields fields;
};

// "records/<id>.json".
std::string record_entry_name(std::string_view id);
// Fails with invalid_params for an id or text that has no place in it.
Result<SecretBytes> record_entry(const RecordInfo& info, const SecretFields& fields);
// Fails with backup_invalid, also when `name` is not that of the record in it.
Result<BackupRecord> parse_record_entry(std::string_view name, const SecretBytes& text);

}  // namespace popvault
