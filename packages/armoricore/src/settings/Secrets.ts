/** Where settings may be kept beside the environment, and what becomes of one that changes while the program runs. */
import { Duration } from "effect"
import { choice, duration, secret, text, url, withDefault } from "./Setting.ts"

export const secrets = {
  VAULT_ADDR: url(
    "http:",
    "https:",
  )({
    description:
      "a HashiCorp Vault or OpenBao; the fields of VAULT_SECRET count as settings, the environment goes first",
    defaultText: "off",
    example: "https://vault.example.com:8200",
  }),
  VAULT_SECRET: text({
    description: "the secret's path as Vault's HTTP API has it: version 2 of its engine has /data/ in it",
    example: "secret/data/armoricore",
  }),
  VAULT_TOKEN: secret({ description: "a token that may read it", example: "hvs.…" }),
  VAULT_ROLE: text({
    description: "instead of a token: the role that the pod's service account logs in with",
    example: "armoricore",
  }),
  VAULT_AUTH_MOUNT: withDefault(
    text({ description: "where the Kubernetes login is mounted" }),
    "kubernetes",
    "kubernetes",
  ),
  VAULT_JWT_PATH: withDefault(
    text({ description: "path of the pod's service account token" }),
    "/var/run/secrets/kubernetes.io/serviceaccount/token",
    "/var/run/secrets/kubernetes.io/serviceaccount/token",
  ),
  VAULT_NAMESPACE: text({ description: "the namespace, where Vault has several", example: "team-a" }),
  AWS_SECRET_ID: text({
    description:
      "name or ARN of a secret in AWS Secrets Manager, a JSON object; its fields count as settings, the environment goes first",
    defaultText: "off",
    example: "prod/armoricore",
  }),
  AWS_REGION: text({ description: "its region", defaultText: "as the AWS SDK finds it", example: "eu-west-1" }),
  AWS_SECRETS_ENDPOINT: url(
    "http:",
    "https:",
  )({ description: "another address of it", example: "http://localhost:4566" }),
  SETTINGS_REFRESH_INTERVAL: withDefault(
    duration({ description: "how often mounted files and secrets are read again to see a change; 0 for never" }),
    Duration.seconds(60),
    "60 s",
  ),
  SETTINGS_ON_CHANGE: withDefault(
    choice(
      "log",
      "drain",
    )({
      description:
        "a setting changed: log says so and goes on; drain ends the program in order, for a supervisor that starts it again",
    }),
    "log",
    "log",
  ),
}
