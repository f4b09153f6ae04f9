<?php

declare(strict_types=1);

namespace Armoricore;

use DateTimeImmutable;
use DateTimeZone;
use InvalidArgumentException;

/** An event for Armoricore, encoded as JSON without PHP's pitfalls. */
final class Event
{
    private function __construct(
        public readonly string $type,
        public readonly string $id,
        public readonly string $body,
    ) {
    }

    /**
     * $payload: associative arrays become objects. $id: create it once and store it with your own record, so that
     * Armoricore recognises repetitions of this event; the default is a new id. $requestId and $traceparent (W3C) of the
     * request that you are handling are passed on to every resulting event and to the browser.
     *
     * @param array<string, mixed> $payload
     */
    public static function of(string $type, array $payload, ?string $id = null, string $source = 'php-backend', ?string $requestId = null, ?string $traceparent = null): self
    {
        $id ??= self::uuid();
        $envelope = [
            'event_type' => $type,
            'event_id' => $id,
            'timestamp' => (new DateTimeImmutable('now', new DateTimeZone('UTC')))->format('Y-m-d\TH:i:s.v\Z'),
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

    /**
     * `media.uploaded` for a file that a browser has sent to the URL of `POST /v1/uploads`. $grant: media_id, file_path and
     * upload_token of that response, which the browser returns to you. $userId: the user of your own session, never a value
     * from the browser. The token proves that Armoricore gave this file to this user: otherwise a user could name the file
     * or the media of another one, and publishing throws `Rejected` (403).
     *
     * @param array<string, mixed> $grant
     * @param array<string, mixed> $metadata
     */
    public static function uploaded(array $grant, string $userId, array $metadata = [], ?string $id = null, string $source = 'php-backend', ?string $requestId = null, ?string $traceparent = null): self
    {
        foreach (['media_id', 'file_path', 'upload_token'] as $field) {
            if (!is_string($grant[$field] ?? null) || $grant[$field] === '') {
                throw new InvalidArgumentException("the upload has no $field; pass on media_id, file_path and upload_token as POST /v1/uploads returned them");
            }
        }
        $payload = [
            'media_id' => $grant['media_id'],
            'user_id' => $userId,
            'file_path' => $grant['file_path'],
            'upload_token' => $grant['upload_token'],
            'metadata' => $metadata,
        ];
        return self::of('media.uploaded', $payload, $id, $source, $requestId, $traceparent);
    }

    /** An event from an outbox, with exactly the stored bytes. */
    public static function stored(string $type, string $id, string $body): self
    {
        return new self($type, $id, $body);
    }

    /**
     * Without these flags PHP writes `\/` and `\u00e9`, and turns text that is not UTF-8 into `false`, an empty body.
     * 1.0 keeps its fraction, and an encoding error throws an exception.
     */
    public static function json(mixed $value): string
    {
        return json_encode(
            $value,
            JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_PRESERVE_ZERO_FRACTION,
        );
    }

    /** The value of the `Armoricore-Signature` header, for EVENT_SIGNING_KEYS `id:secret`. Sign when you send: a signature is valid for 300 s. */
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
