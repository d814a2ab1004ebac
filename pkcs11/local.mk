# The token: frames and their client, signer and admin, provisioning.
