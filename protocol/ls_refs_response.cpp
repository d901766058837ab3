// The listing itself: gitprotocol-v2 "ls-refs", output = *(obj-id-or-unborn SP refname *(SP ref-attribute) LF)
// flush-pkt.

#include "protocol/ls_refs.hpp"
#include "protocol/pkt_cursor.hpp"
#include "protocol/ref_name.hpp"

namespace tankard::protocol {
namespace {

constexpr std::string_view unborn_word = "unborn";
constexpr std::string_view peeled_word = "peeled:";
constexpr std::string_view symref_word = "symref-target:";

// Cuts off and returns what stands before the first space.
std::string_view take_word(std::string_view& text) noexcept {
  auto const space = text.find(' ');
  auto const word = text.substr(0, space);
  text = space == std::string_view::npos ? std::string_view{} : text.substr(space + 1);
  return word;
}

result<void> read_attribute(ref_record& ref, std::string_view word) {
  if (word.starts_with(peeled_word)) {
    auto const oid = object_id::from_hex(word.substr(peeled_word.size()));
    if (!oid) return oid.error();
    ref.peeled = *oid;
  } else if (word.starts_with(symref_word)) {
    auto const target = word.substr(symref_word.size());
    // A target nobody can have is not handed on; the ref itself still stands for its oid.
    if (is_valid_ref_name(target)) ref.symref_target = target;
  }
  return {};
}

result<ref_record> read_ref_line(std::string_view line) {
  ref_record ref;
  auto const oid_word = take_word(line);
  if (oid_word == unborn_word) {
    ref.unborn = true;
  } else {
    auto const oid = object_id::from_hex(oid_word);
    if (!oid) return oid.error();
    if (oid->is_zero()) return errc::bad_oid;  // git's word for "no object"
    ref.oid = *oid;
  }
  auto const name = take_word(line);
  if (name.empty()) return errc::bad_ref_line;
  ref.name = name;
  while (!line.empty())
    if (auto const read = read_attribute(ref, take_word(line)); !read) return read.error();
  return ref;
}

// One repository has one object format (gitprotocol-v2 "object-format"); the first oid of the listing says which.
class format_check {
 public:
  bool agrees(const ref_record& ref) noexcept {
    if (!ref.unborn && !agrees(ref.oid)) return false;
    return !ref.peeled || agrees(*ref.peeled);
  }

 private:
  bool agrees(const object_id& oid) noexcept {
    if (!format_) format_ = oid.format();
    return *format_ == oid.format();
  }
  std::optional<object_format> format_;
};

// An unborn ref without a target says nothing: what would be unborn?
bool is_sound(const ref_record& ref) noexcept {
  return is_valid_ref_name(ref.name) && (!ref.unborn || !ref.symref_target.empty());
}

}  // namespace

result<ls_refs_response> parse_ls_refs_response(std::string_view body, std::size_t max_refs) {
  pkt_cursor in{body};
  ls_refs_response out;
  format_check formats;
  while (true) {
    auto const line = in.next_of_answer();
    if (!line) return line.error();
    if (line->type == pkt_type::flush) break;
    if (line->type != pkt_type::data) return errc::unexpected_packet;
    if (out.refs.size() + out.dropped_names >= max_refs) return errc::too_many;

    auto ref = read_ref_line(line->text());
    if (!ref) return ref.error();
    if (!formats.agrees(*ref)) return errc::bad_oid;
    if (is_sound(*ref))
      out.refs.push_back(std::move(*ref));
    else
      ++out.dropped_names;
  }
  if (!in.at_end()) return errc::trailing_data;
  return out;
}

void append_ref_line(std::string& out, const ref_record& ref, const ls_refs_request& asked) {
  // ls-refs.c, send_possibly_unborn_head: an unborn HEAD is nothing without its target.
  if (ref.unborn && !(asked.unborn && asked.symrefs)) return;
  std::string line = ref.unborn ? std::string{unborn_word} : ref.oid.hex();
  line += ' ';
  line += ref.name;
  if (asked.symrefs && !ref.symref_target.empty()) {
    line += ' ';
    line += symref_word;
    line += ref.symref_target;
  }
  if (asked.peel && ref.peeled) {
    line += ' ';
    line += peeled_word;
    line += ref.peeled->hex();
  }
  append_text_pkt(out, line);
}

}  // namespace tankard::protocol
