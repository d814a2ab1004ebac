/*
 * TNAuthList: which telephone numbers and service provider codes a
 * certificate speaks for (RFC 8226 section 9).
 *
 * Pure.  A struct tnauth never changes once decoded.
 */
#ifndef STIR_TNAUTH_H
#define STIR_TNAUTH_H

#include "stir/buf.h"
#include "stir/tnset.h"

struct tnauth; /* opaque */

/* More entries than this is RC_INVALID.  Our limit, not the RFC's. */
enum {
	TNAUTH_MAX_ENTRIES = 4096,
	TNAUTH_MAX_REFERENCED = 1000000,
	TNAUTH_MAX_REFERENCED_BYTES = 32 * 1024 * 1024,
	TNAUTH_SPC_MAX = 32,
};

enum tnauth_kind { TNAUTH_SPC, TNAUTH_RANGE, TNAUTH_ONE }; /* the [n] of TNEntry */

struct tnauth_entry {
	enum tnauth_kind kind;
	struct tn start;	      /* RANGE, ONE */
	uint64_t count;		      /* RANGE: numbers, start included; ONE: 1 */
	char spc[TNAUTH_SPC_MAX + 1]; /* SPC; octet-exact (D-06) */
};

/*
 * Decode the extension value (the contents of its OCTET STRING).
 *
 * der        borrowed; the result keeps no pointer into it
 * all_nines  accept a range whose last number is all nines (D-03)
 * out        owned by the caller, tnauth_free(); untouched on failure
 *
 * RC_INVALID with a decoder token: tnauth_empty, tnauth_choice (implicit or
 * unknown tag), tnauth_number, tnauth_count, tnauth_range_end, tnauth_spc,
 * tnauth_limit, der_*.
 */
enum rc tnauth_decode(
    struct span der, bool all_nines, struct tnauth **out, struct fault *f) MUST_CHECK;
/*
 * The numbers of a list that is not inside a certificate (RFC 8226 section
 * 10.1), which may be long: at most TNAUTH_MAX_REFERENCED entries.  Its codes
 * are checked and dropped: they authorise no number (D-05).  Tokens as above.
 */
enum rc tnauth_decode_numbers(
    struct span der, bool all_nines, struct tnset **out, struct fault *f) MUST_CHECK;
void tnauth_free(struct tnauth *list);
DEFINE_FREEP(tnauth);

/* Append the DER of entries, in the given order. RC_INVALID when one is not encodable. */
enum rc tnauth_encode(
    struct buf *out, const struct tnauth_entry *entries, size_t n, struct fault *f) MUST_CHECK;

/*
 * The entries that name exactly the numbers of set, in canonical order
 * (ranges first, then single numbers, ascending), at most max of them: what a
 * tenant's configuration asks a CA for.  *out is malloc'd.
 */
enum rc tnauth_from_set(const struct tnset *set, size_t max, struct tnauth_entry **out,
    size_t *n, struct fault *f) MUST_CHECK;

size_t tnauth_len(const struct tnauth *list);
const struct tnauth_entry *tnauth_at(const struct tnauth *list, size_t i);
const struct tnset *tnauth_numbers(const struct tnauth *list); /* singles and ranges */
bool tnauth_covers(const struct tnauth *list, const struct tn *tn);
size_t tnauth_spcs(const struct tnauth *list); /* how many SPC entries */
bool tnauth_has_spc(const struct tnauth *list, const char *spc);

#endif
