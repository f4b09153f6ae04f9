<?php

declare(strict_types=1);

namespace Armoricore;

use InvalidArgumentException;
use Psr\Log\LoggerInterface;

/** Makes a publisher from the settings of a framework. */
final class Client
{
    /**
     * `url`: `http://…` or `https://…` of Armoricore, or `nats://…`, `tls://…` of its bus. `token`: a JWT with the role
     * `publisher`, for HTTP. `signing_key_id` and `signing_secret`: a key of EVENT_SIGNING_KEYS. `nkey_seed`, `credentials`,
     * `ca`: see `NatsOptions`.
     *
     * @param array<string, string|null> $settings
     */
    public static function publisher(array $settings, ?LoggerInterface $logger = null): Publisher
    {
        $url = $settings['url'] ?? '';
        $keyId = $settings['signing_key_id'] ?? null;
        $secret = $settings['signing_secret'] ?? null;
        if (preg_match('~\Ahttps?://~', $url) === 1) {
            return new Api($url, $settings['token'] ?? null, $keyId, $secret, logger: $logger);
        }
        if (preg_match('~\A(nats|tls)://~', $url) !== 1) {
            throw new InvalidArgumentException('the url of Armoricore must begin with http://, https://, nats:// or tls://');
        }
        $options = new NatsOptions($url, $settings['nkey_seed'] ?? null, $settings['credentials'] ?? null, $settings['ca'] ?? null);
        return new NatsPublisher($options, $keyId, $secret, logger: $logger);
    }
}
