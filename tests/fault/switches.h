/*
 * The control file of the fault-injecting PKCS#11 module (p11fault.c): what is
 * switched on, and what has happened.  Tests make it with SWITCHES_SIZE zero
 * bytes, name it to the module in VESPER_FAULT, and map it; every process that
 * loads the module maps it too, so that a change is seen by the next call and
 * the counters are of all processes together.  VESPER_FAULT_MODULE names the
 * real module.
 *
 * The text is rules, one a line:
 *
 *	FUNCTION WORD… [count=N|*] [skip=N] [every=N] [per=process] [role=R] [key=HEX]
 *
 * Of the calls of FUNCTION by processes of role R (signer, admin) and with a
 * key whose CKA_ID begins with HEX (C_SignInit and C_Sign only), the first
 * skip are left alone, then each every-th takes the next WORD.  With count
 * there is one WORD for so many of them (*: without an end).  per=process
 * counts in each process for itself.  The first line that has a word for a
 * call is used.  A WORD is
 *
 *	0		nothing
 *	0xRV		return RV, the real function is not asked
 *	after:0xRV	return RV when the real function was done
 *	delay:MS	wait first
 *	hang, crash	do not return; end the process
 *	rate:N		more than N a second: CKR_FUNCTION_FAILED
 *	capacity:N	C_GenerateKeyPair and C_OpenSession: CKR_DEVICE_MEMORY,
 *			CKR_SESSION_COUNT, where N private keys or sessions of the
 *			process are there
 *	absent		C_GetSlotList: no slot
 *	flags:0xF	C_GetTokenInfo: these flags too
 *	readonly	C_OpenSession: CKR_TOKEN_WRITE_PROTECTED for one that may write
 *	readwrite	C_OpenSession: CKR_SESSION_READ_ONLY for one that may not
 *	sessions	all sessions are closed, then the real function
 *	logout		logged out, then …
 *	relogin		logged out and in again, then …
 *	reinit		C_Finalize, C_Initialize, then …
 *	fork		a child of the process calls C_Initialize, then …
 *	reshuffle	from now on the handles known so far mean other keys, each
 *			the next one; a search finds the new ones
 *	active		C_SignInit: another operation is active already
 *	tells		C_GetAttributeValue: how long CKA_VALUE is, as a key that can
 *			be read
 *	wrongkey	C_SignInit: with another private key
 *	small		C_Sign: into a buffer of 10 bytes
 *	pad		C_Sign: 100 bytes instead of the digest
 *	flip, short	C_Sign: one bit wrong; one byte short
 *
 * To change the text: make serial odd, write it, zero seen and fired, make
 * serial even.
 */
#ifndef TESTS_FAULT_SWITCHES_H
#define TESTS_FAULT_SWITCHES_H

#include <stdatomic.h>
#include <stdint.h>

enum {
	SWITCHES_TEXT = 4080,
	SWITCHES_RULES = 16,
	SWITCHES_PINS = 16,
	SWITCHES_FUNCTIONS = 80,
	SWITCHES_NAME = 32,
};

struct switches {
	char magic[8]; /* written by the module: "p11fault" */
	_Atomic uint64_t serial;
	char text[SWITCHES_TEXT];
	struct {
		_Atomic uint64_t seen,
		    fired; /* calls that the rule is about; that it changed */
	} rule[SWITCHES_RULES];
	struct {
		_Atomic uint64_t hash; /* FNV-1a of the PIN; 0: free */
		_Atomic uint64_t tries, refused;
	} pin[SWITCHES_PINS];
	_Atomic uint64_t odd_digests; /* C_Sign with other than 32 bytes */
	_Atomic uint64_t signatures;  /* C_Sign that ended well */
	_Atomic uint64_t errors;      /* C_SignInit and C_Sign that the real module failed */
	_Atomic uint64_t calls[SWITCHES_FUNCTIONS];
	char name[SWITCHES_FUNCTIONS][SWITCHES_NAME]; /* whose calls these are */
};

#define SWITCHES_SIZE ((long)sizeof(struct switches))

#endif
