/* vesper: the command line of the agent.  A table of subcommands, one file each. */
#include "client/cli.h"

#include <stdio.h>

#include "client/numbers.h"
#include "client/offboard.h"

enum { DEFAULT_TIMEOUT_MS = 6000 };

static const struct command {
	const char *name;
	command_fn *run;
	const char *arguments, *summary;
} commands[] = {
	/* clang-format off */
	{ "status", cmd_status, "", "how the agent, its tokens and credentials are" },
	{ "doctor", cmd_doctor, "[-c FILE]",
	    "try every dependency, and say what to do" },
	{ "tenant", cmd_tenant,
	    "test TENANT [-c FILE] [--orig TN] [--dest TN] [--ppt P]\n"
	    "	[--attest A|B|C] [--claims FILE] [--tls-ca FILE]\n"
	    "   or: vesper tenant failover|failback TENANT/CREDENTIAL\n"
	    "   or: vesper tenant " NUMBERS_USAGE "\n"
	    "   or: vesper tenant " OFFBOARD_USAGE,
	    "try a tenant; have a credential's reserve sign; change the numbers; end it" },
	{ "cert", cmd_cert,
	    "list\n"
	    "   or: vesper cert show TENANT/NAME\n"
	    "   or: vesper cert history TENANT/NAME\n"
	    "   or: vesper cert renew [--wait] TENANT/NAME\n"
	    "   or: vesper cert csr TENANT/NAME [FILE]\n"
	    "   or: vesper cert install TENANT/NAME CHAIN.pem|-\n"
	    "   or: vesper cert revoke TENANT/NAME [--serial HEX] [--reason REASON]\n"
	    "	[--by account|key]",
	    "certificates: list, renew, request and install by hand, revoke" },
	{ "token", cmd_token,
	    "inspect [--for TENANT/NAME | --trust ANCHORS.pem] [--type TYPE]\n"
	    "	[--at TIME] FILE|-\n"
	    "   or: vesper token push TENANT/NAME FILE|-\n"
	    "   or: vesper token fetch TENANT/NAME [--claims]",
	    "authority tokens: what is wrong with one, give one to the agent, ask for one" },
	{ "ct", cmd_ct, "status\n   or: vesper ct watch",
	    "the transparency logs: promises kept, certificates not ordered here" },
	{ "account", cmd_account,
	    "list\n   or: vesper account show|update|rekey CA\n"
	    "   or: vesper account deactivate|replace --yes CA",
	    "the ACME accounts: fingerprints, contacts, another key, the end" },
	{ "sign", cmd_sign,
	    "--orig TN --dest TN [--tenant T] [--credential C] [--ppt P]\n"
	    "	[--attest A|B|C] [--origid UUID] [--div TN] [--original PASSPORT]...\n"
	    "	[--claims FILE] [--dry-run]\n"
	    "	[-o header|jwt|json]\n"
	    "   or: vesper sign --call FILE [--dry-run] [-o header|jwt|json]",
	    "have a PASSporT signed, or all those of a call" },
	{ "verify", cmd_verify,
	    "[--trust ANCHORS.pem] [--ct-logs LOGS.json] [--chain CHAIN.pem]\n"
	    "	[--from TN] [--to TN] [--at TIME] [--original PASSPORT]...\n"
	    "	[--div PASSPORT]... [--encompassing require|if-present|off]\n"
	    "	[--tn-list FILE] [--osp-spc CODE]\n"
	    "	[--orig TN --dest TN... --iat TIME [--info URI]]\n"
	    "	[--disclosure FILE [--disclosure-key KEY.jwk]] TOKEN|-",
	    "the verification service's steps, a verdict for each" },
	{ "check", cmd_check,
	    "--cert CHAIN.pem --claims FILE [--ppt P] [--at TIME]\n"
	    "	[--profile P] [--allow-claim NAME]... [--original PASSPORT]...\n"
	    "	[--encompassing require|if-present|off] [--tn-list FILE]\n"
	    "	[--do-not-originate OID] [--third-party-iss NAME] [--attest-in-rsp] [--orig-uri]\n"
	    "	[--entity-id ID] [--rph-namespace NS]... [--must-judge NAME]...\n"
	    "	[--salts FILE]\n"
	    "	[--assert-committed] [--commit-without-salt] [--rfc8226-strict-permitted]\n"
	    "	[--rcd-without-rcdi] [--normalise-permitted] [--accept-quoted-permitted]\n"
	    "	[--allow-range-to-all-nines]",
	    "would the agent sign these claims with this certificate" },
	{ "inspect", cmd_inspect, "[--type TYPE] [--hex] FILE|-",
	    "print a certificate, request, token, list or number" },
	{ "rcd", cmd_rcd,
	    "--nam TEXT [--apn TN] [--icn URL] [--jcd FILE | --jcl URL]\n"
	    "	[--content URL=FILE]... [--crn TEXT]... [--hash sha256|sha384|sha512]\n"
	    "	[--form jwt|enhanced]",
	    "build rich call data and the constraints to ask for" },
	{ "commit", cmd_commit,
	    "--claims FILE [--value PATH]... [--hash PATH]...\n"
	    "	[--commit PATH]... [--salts FILE] [--salt-hash] [--enhanced]\n"
	    "	[--must-include NAME]... [--must-exclude NAME]...",
	    "make salts and commitments for a claim agent's token" },
	{ "disclose", cmd_disclose,
	    "--cert CHAIN.pem --claims FILE --salts FILE --to KEY.jwk\n"
	    "	--claim PATH... [--audience TEXT]",
	    "seal salts of commitments to one relying party" },
	{ "replay", cmd_replay, "[-c FILE] [--enforce] [--uid UID] [--all] LOG...|-",
	    "judge past requests by the present configuration" },
	{ "hsm", cmd_hsm,
	    "list|init|set-pin|objects|store-cert|test|bench [TOKEN] [-c FILE]\n"
	    "	orphans [TOKEN] [-c FILE] [--destroy --yes] [--key ID]\n"
	    "	[--pin REF] [--so-pin REF] [--new-pin REF] [--so] [--cert FILE]\n"
	    "	[--threads N] [--seconds N] [--read-write]\n"
	    "	[--module PATH [--label L] [--serial S] [--lock-file PATH]\n"
	    "	[--environment K=V]...]\n"
	    "TOKEN, also as --token TOKEN: its name in the configuration, or a PKCS#11 URI;\n"
	    "REF: file:PATH, credential:NAME or ask",
	    "tokens: make, try and measure them, set PINs, see what is there" },
	{ "key", cmd_key,
	    "import KEY.pem [-c FILE] [--pin REF]\n"
	    "	[--credential TENANT/NAME --cert CHAIN.pem | --token TOKEN | --module PATH ...]",
	    "bring a key of a file into the token, until the first renewal" },
	{ "config", cmd_config, "check|show [FILE]", "check or show the configuration" },
	{ "bench", cmd_bench,
	    "--orig TN --dest TN|--bodies FILE [--tenant T] [--connections N] [--seconds N]\n"
	    "	[--rate R] [--ppt P] [--attest A|B|C] [--claims FILE]",
	    "load a running agent and measure it" },
	{ "version", cmd_version, "", "print the version" },
	/* clang-format on */
};

static void
print_usage(FILE *out)
{
	fputs("usage: vesper [options] COMMAND ...\n\n", out);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
	fputs("\noptions, before or after the command:\n"
	      "  --socket PATH  --json  --quiet  --no-color  --timeout SECONDS  --help\n"
	      "  --version\n"
	      "\nvesper COMMAND --help says what the command takes; see vesper(1).\n",
	    out);
}

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

static bool
asks_for_help(int argc, char **argv)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	}
	return false;
}

int
main(int argc, char **argv)
{
	struct cli cli = { .timeout_ms = DEFAULT_TIMEOUT_MS };
	const struct command *command;
	struct fault f = { 0 };
	int used = 0;

	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		argv[1] += strlen("--"); /* as the command */
	if (args_globals(&cli, argc - 1, argv + 1, &used, &f) != RC_OK)
		return cli_fail(&cli, EXIT_USAGE, "usage", f.detail, "see: vesper --help");
	argc -= 1 + used;
	argv += 1 + used;
	if (cli.help || argc == 0) {
		print_usage(cli.help ? stdout : stderr);
		return cli.help ? EXIT_DONE : EXIT_USAGE;
	}
	command = find_command(argv[0]);
	if (command == NULL)
		return cli_fail(
		    &cli, EXIT_USAGE, "no such command", argv[0], "see: vesper --help");
	cli.command = command->name;
	if (asks_for_help(argc - 1, argv + 1)) {
		printf("usage: vesper %s %s\n\n%s\n", command->name, command->arguments,
		    command->summary);
		return EXIT_DONE;
	}
	return command->run(&cli, argc - 1, argv + 1);
}
