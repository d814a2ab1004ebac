/*
 * SoftHSM's token.object and a kill at the wrong moment.
 *
 * SoftHSM 2.6 rewrites token.object in place at every C_Login; a process that
 * is killed in between leaves it empty, and with it the token is lost; a loss
 * of power may leave zeros.  So a copy is kept beside it, and put back when
 * nothing else is in the original.  Making it
 * read-only instead does not do: SoftHSM then takes its own token for damaged
 * and does not show keys that another process generates.
 *
 * Main thread, before C_Initialize, under the token lock.
 */
#ifndef PKCS11_SOFTHSM_H
#define PKCS11_SOFTHSM_H

#include "stir/fault.h"

/*
 * Look after every token below the directories.tokendir of the configuration
 * that $SOFTHSM2_CONF names; nothing is done without one.  *mended counts the
 * tokens that were put back.  RC_IO "softhsm" when a copy cannot be written
 * or put back; a tokendir that cannot be listed is left to the module to
 * complain of.
 */
enum rc softhsm_mend(unsigned *mended, struct fault *f) MUST_CHECK;

#endif
