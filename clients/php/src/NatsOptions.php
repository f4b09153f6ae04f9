<?php

declare(strict_types=1);

namespace Armoricore;

use InvalidArgumentException;

/** Where NATS is, and how to authenticate. */
final class NatsOptions
{
    /** @var list<array{host: string, port: int, tls: bool, user: ?string, password: ?string, token: ?string}> */
    public readonly array $servers;

    /**
     * @param string $urls one or more of `nats://host:4222`, `nats://user:password@host:4222`, `nats://token@host:4222` and
     *     `tls://…`, separated by commas. The publisher tries them in this order.
     * @param string|null $nkeySeed the seed of a user's nkey (`SU…`)
     * @param string|null $credentialsFile a file of `nsc` with a user's JWT and seed
     * @param string|null $caFile the certificates that sign the server's certificate, in PEM; the default is the system's
     * @param float $timeout seconds for a connection and for an acknowledgement
     */
    public function __construct(
        string $urls,
        public readonly ?string $nkeySeed = null,
        public readonly ?string $credentialsFile = null,
        public readonly ?string $caFile = null,
        public readonly float $timeout = 3.0,
    ) {
        $this->servers = array_map(self::server(...), preg_split('/\s*,\s*/', trim($urls)) ?: []);
    }

    /** Reads NATS_URL (or MESSAGE_BUS_URL), NATS_NKEY_SEED, NATS_CREDS and NATS_CA, as Armoricore does. */
    public static function fromEnvironment(): self
    {
        $read = static fn (string $name): ?string => getenv($name) ?: null;
        return new self(
            $read('NATS_URL') ?? $read('MESSAGE_BUS_URL') ?? 'nats://127.0.0.1:4222',
            $read('NATS_NKEY_SEED'),
            $read('NATS_CREDS'),
            $read('NATS_CA'),
        );
    }

    /** @return array{host: string, port: int, tls: bool, user: ?string, password: ?string, token: ?string} */
    private static function server(string $url): array
    {
        $parts = parse_url(str_contains($url, '://') ? $url : "nats://$url");
        if ($parts === false || !isset($parts['host']) || !in_array($parts['scheme'] ?? '', ['nats', 'tls'], true)) {
            $shown = preg_replace('~//.*@~', '//…@', $url);
            throw new InvalidArgumentException("the address of NATS must be nats://host:4222 or tls://host:4222, but is $shown");
        }
        $user = isset($parts['user']) ? rawurldecode($parts['user']) : null;
        $password = isset($parts['pass']) ? rawurldecode($parts['pass']) : null;
        return [
            'host' => $parts['host'],
            'port' => $parts['port'] ?? 4222,
            'tls' => $parts['scheme'] === 'tls',
            'user' => $password === null ? null : $user,
            'password' => $password,
            'token' => $password === null ? $user : null,
        ];
    }
}
