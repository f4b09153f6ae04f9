/** Settings of secret stores, and the reaction to settings that change while the program runs. */
import { Duration } from "effect";
import { choice, duration, secret, text, url, withDefault } from "./Setting.ts";
export const secrets = {
    VAULT_ADDR: url("http:", "https:")({
        description: "URL of HashiCorp Vault or OpenBao; the fields of VAULT_SECRET become settings, and the environment overrides them",
        defaultText: "off",
        example: "https://vault.example.com:8200",
    }),
    VAULT_SECRET: text({
        description: "path of the secret in Vault's HTTP API; version 2 of the key-value engine needs /data/ in it",
        example: "secret/data/armoricore",
    }),
    VAULT_TOKEN: secret({ description: "token that may read the secret", example: "hvs.…" }),
    VAULT_ROLE: text({
        description: "role for the login with the pod's service account; instead of VAULT_TOKEN",
        example: "armoricore",
    }),
    VAULT_AUTH_MOUNT: withDefault(text({ description: "mount path of Vault's Kubernetes auth method" }), "kubernetes", "kubernetes"),
    VAULT_JWT_PATH: withDefault(text({ description: "path of the pod's service account token" }), "/var/run/secrets/kubernetes.io/serviceaccount/token", "/var/run/secrets/kubernetes.io/serviceaccount/token"),
    VAULT_NAMESPACE: text({ description: "Vault namespace", example: "team-a" }),
    AWS_SECRET_ID: text({
        description: "name or ARN of a secret in AWS Secrets Manager, a JSON object; its fields become settings, and the environment overrides them",
        defaultText: "off",
        example: "prod/armoricore",
    }),
    AWS_REGION: text({
        description: "AWS region of the secret",
        defaultText: "from the AWS SDK's configuration",
        example: "eu-west-1",
    }),
    AWS_SECRETS_ENDPOINT: url("http:", "https:")({ description: "another endpoint of AWS Secrets Manager, for tests", example: "http://localhost:4566" }),
    SETTINGS_REFRESH_INTERVAL: withDefault(duration({ description: "how often mounted files and secrets are read again to detect changes; 0 disables it" }), Duration.seconds(60), "60 s"),
    SETTINGS_ON_CHANGE: withDefault(choice("log", "drain")({
        description: "after a setting changed: log writes a warning; drain ends the program gracefully, so that its supervisor restarts it",
    }), "log", "log"),
};
