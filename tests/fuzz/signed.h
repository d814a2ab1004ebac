/* Made by make_signed.c; nobody has the keys. */
#ifndef TESTS_FUZZ_SIGNED_H
#define TESTS_FUZZ_SIGNED_H

/* clang-format off */
#define SIGNED_X5U "https://cert.example/a.pem"
#define SIGNED_CALLER "12025550100"
#define SIGNED_CALLEE "12125550111"

static const char signed_anchor[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBcDCCARagAwIBAgIBATAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARSb290MB4X\n"
    "DTI3MDExNTA3MDAwMFoXDTI3MDExNjA4MDAwMFowDzENMAsGA1UEAwwEUm9vdDBZ\n"
    "MBMGByqGSM49AgEGCCqGSM49AwEHA0IABMLjBO9zj5Wu8Tp/WYWcXIwYMppEDlHR\n"
    "f7N3eaz7k8iv9diW27S47cJaegbsv8wH+pyUraCEGQT+C2ZwCont3cCjYzBhMA8G\n"
    "A1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgEGMB0GA1UdDgQWBBR5iFzk252B\n"
    "cjketfVovxdOcaODQTAfBgNVHSMEGDAWgBR5iFzk252BcjketfVovxdOcaODQTAK\n"
    "BggqhkjOPQQDAgNIADBFAiAa7roEvgfzot4CK2iUz6+z8YEwIB26nkQKL0x4Mrqa\n"
    "FAIhAIQ/1dmJR6JKQ1zx8vcQCPqWhX6LSWWEcClrC/kl44Y4\n"
    "-----END CERTIFICATE-----\n";

static const char signed_leaf[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIICHDCCAcKgAwIBAgIBATAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARSb290MB4X\n"
    "DTI3MDExNTA3MDAwMFoXDTI3MDExNjA4MDAwMFowDzENMAsGA1UEAwwETGVhZjBZ\n"
    "MBMGByqGSM49AgEGCCqGSM49AwEHA0IABPHBBMb2S6dNm7bCeLaNU+jSrqACx/2t\n"
    "+PqibuSd9w0P71Izf+evrvVMx0NrI3rTPCZQdfz/tR29JXaA17r1a4WjggENMIIB\n"
    "CTAMBgNVHRMBAf8EAjAAMA4GA1UdDwEB/wQEAwIHgDAdBgNVHQ4EFgQUOzSqDY9U\n"
    "Y+8VjVYOm3RnTA7dRkYwHwYDVR0jBBgwFoAUeYhc5NudgXI5HrX1aL8XTnGjg0Ew\n"
    "HQYIKwYBBQUHARoEETAPog0WCzEyMDI1NTUwMTAwMIGJBgorBgEEAdZ5AgQCBHsE\n"
    "eQB3AHUAxFvfoT1yY4qFSv2BmtQ6Mu3hOj05GNrM4YkbdsBkqQAAAAGjGFrJYAAA\n"
    "BAMARjBEAiBP44Z2GJ6rQ6R8W14XDZ/TArbP4ISdC8PDLKnDvqsCCgIgMCluZ8G/\n"
    "yqvc1DpbLOzDBOR1cG8MOZVEFuqknvlQyDIwCgYIKoZIzj0EAwIDSAAwRQIgK4AF\n"
    "T4sWBl+e6y6Oh1C8FuuAXqSvQd4QGl5GvY8uJ0kCIQDl6zGlPiYP4fi96EmRKhtD\n"
    "GHIqX5AIoGEFLtnR1LQSrw==\n"
    "-----END CERTIFICATE-----\n";

static const char signed_logs[] =
    "{\"operators\":[{\"logs\":[{\"state\":\"usable\",\n"
    "\"key\":\"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEFod1hoBvuP27o6JCs4Iitx4fWzWjVCuE7qhJGtlAGMDUPcIMGp6rFHnkE32Uz77xpb3DUJRkJjTN40nJSKNs+A==\"}]}]}";

/* SHA-256 of header "." payload, as they were signed, in base64url. */
static const char *const signed_digest[] = {
	"pbJkTnj4Yp13uzgPSItkzYnBNej-vd6f7QF6kcz74Ss",
	"hTNJvZLpyakXqlO7_R91keR2zKTuC5W-gSk-yZYp6DY",
	"pbJkTnj4Yp13uzgPSItkzYnBNej-vd6f7QF6kcz74Ss",
	"iH1YmZ4lLkZa6pAjsQRDDR8ISvO36b3cdQVrBOYmO2k",
	"tjBUVpTfs73WfP91RTZtviyfroyIzKxHQaci4IxK-AM",
	"p60_cxRPInkp2J6i-XroNYsqmCBtMVCrnAyxO_2Sx20",
	"Z75nVMqMzrUkN8Jd7vwt27_-ZAVeZznwSbuAjxt3p5w",
	"6t9kR-c6Ur2Ct31hnveW0AgaVUVlA7tJbjEZK4xS2E0",
	"BnCCeK1N0YBtxd57-vT6cmJzBtcjUIUqb_UNikzxqsE",
	"-a1Th_wl88iP3n-JPlaDlKAJphLuUTyJdm8u9RXvDnE",
};
/* clang-format on */

#endif
