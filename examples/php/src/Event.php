<?php

declare(strict_types=1);

namespace Armoricore;

/** An event for Armoricore, as JSON that arrives the way it was meant. */
final class Event
{
    private function __construct(
        public readonly string $type,
        public readonly string $id,
        public readonly string $body,
    ) {
    }

    /**
     * $payload: associative arrays become objects. An id made once and kept with your own record makes every repetition
     * of this event recognisable; without one a new id is made here. $requestId and $traceparent (W3C), those of the
     * request that you answer, go on to every event that follows from this one and to the browser.
     *
     * @param array<string, mixed> $payload
     */
    public static function of(string $type, array $payload, ?string $id = null, string $source = 'php-backend', ?string $requestId = null, ?string $traceparent = null): self
    {
        $id ??= self::uuid();
        $envelope = [
            'event_type' => $type,
            'event_id' => $id,
            'timestamp' => gmdate(DATE_RFC3339),
            'source' => $source,
            'payload' => $payload,
        ];
        if ($requestId !== null) {
            $envelope['request_id'] = $requestId;
        }
        if ($traceparent !== null) {
            $envelope['traceparent'] = $traceparent;
        }
        return new self($type, $id, self::json($envelope));
    }

    /** As it lies in an outbox: the very bytes that were written there. */
    public static function stored(string $type, string $id, string $body): self
    {
        return new self($type, $id, $body);
    }

    /**
     * Without these flags PHP writes `\/` and `\u00e9`, and turns text that is not UTF-8 into `false`, an empty body.
     * 1.0 stays a number with a fraction, and a fault is an exception that names it.
     */
    public static function json(mixed $value): string
    {
        return json_encode(
            $value,
            JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_PRESERVE_ZERO_FRACTION,
        );
    }

    /** The value of the `Armoricore-Signature` header, for EVENT_SIGNING_KEYS `id:secret`. Sign when you send: it is valid for 300 s. */
    public function signature(string $keyId, string $secret, ?int $at = null): string
    {
        return Signature::of($keyId, $secret, $this->body, $at);
    }

    public static function uuid(): string
    {
        $bytes = random_bytes(16);
        $bytes[6] = chr(ord($bytes[6]) & 0x0f | 0x40);
        $bytes[8] = chr(ord($bytes[8]) & 0x3f | 0x80);
        return vsprintf('%s%s-%s-%s-%s-%s%s%s', str_split(bin2hex($bytes), 4));
    }
}
