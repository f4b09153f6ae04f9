<?php

declare(strict_types=1);

namespace Armoricore;

use InvalidArgumentException;
use JsonException;
use Psr\Log\LoggerInterface;

/** Armoricore's HTTP API: publishing without a NATS connection, and presigned uploads. */
final class Api implements Publisher
{
    /** $token: a JWT. Publishing requires the role `publisher`, or a key of EVENT_SIGNING_KEYS instead of the token. */
    public function __construct(
        private readonly string $url,
        private readonly ?string $token = null,
        private readonly ?string $keyId = null,
        private readonly ?string $secret = null,
        private readonly int $maxAttempts = 4,
        private readonly float $timeout = 10,
        private readonly ?LoggerInterface $logger = null,
    ) {
        if (preg_match('~\Ahttps?://[^/]~', $url) !== 1) {
            throw new InvalidArgumentException("the address of Armoricore must be http://host:4000 or https://…, but is $url");
        }
    }

    public function publish(Event $event): bool
    {
        $headers = [];
        if ($this->token === null && $this->keyId !== null && $this->secret !== null) {
            $headers[] = 'Armoricore-Signature: ' . $event->signature($this->keyId, $this->secret);
        }
        $response = $this->call('POST', '/v1/events', $event->body, $headers);
        return $response['duplicate'] === true;
    }

    /**
     * Returns the URL to which a browser, or `put` below, sends the file. Publish `Event::uploaded` with the result afterwards.
     *
     * @return array{media_id: string, upload_url: string, method: string, headers: array<string, string>, file_path: string, upload_token: string, expires_at: string}
     */
    public function upload(string $filename, string $contentType, int $size): array
    {
        $body = Event::json(['filename' => $filename, 'content_type' => $contentType, 'size' => $size]);
        return $this->call('POST', '/v1/uploads', $body);
    }

    /**
     * Sends an event to everyone who has joined the topic. `new_message` and `new_comment` are stored, as messages of the
     * user $as; with a $clientId a repetition returns the first message. Any other event is live only.
     *
     * @param array<string, mixed> $payload
     * @return array{id: string, seq?: int}
     */
    public function publishToTopic(string $topic, string $event, array $payload, ?string $as = null, ?string $clientId = null): array
    {
        $body = ['event' => $event, 'payload' => (object) $payload];
        $body += array_filter(['as' => $as, 'client_id' => $clientId], static fn (?string $value): bool => $value !== null);
        return $this->call('POST', '/v1/topics/' . rawurlencode($topic) . '/events', Event::json($body));
    }

    /**
     * Registers a device of a user, or its new token: a notification with only the user's id goes to all devices.
     *
     * @param array<string, mixed> $device platform (`ios`, `android`, `fcm`, `web`, `email`), token or web_push, and app, locale, time_zone
     * @return array<string, mixed>
     */
    public function registerDevice(string|int $userId, string $deviceId, array $device): array
    {
        return $this->call('PUT', self::userPath($userId) . '/devices/' . rawurlencode($deviceId), Event::json($device));
    }

    /** For example at sign-out. */
    public function removeDevice(string|int $userId, string $deviceId): void
    {
        $this->call('DELETE', self::userPath($userId) . '/devices/' . rawurlencode($deviceId), '');
    }

    /**
     * The newest in-app notifications of a user, ascending.
     *
     * @return array{items: list<array<string, mixed>>, unread: int, more: bool}
     */
    public function inbox(string|int $userId, int $limit = 50): array
    {
        return $this->call('GET', self::userPath($userId) . "/inbox?limit=$limit", '');
    }

    /**
     * @param list<string>|null $ids without ids: all items
     * @return array{ids: list<string>, unread: int}
     */
    public function markRead(string|int $userId, ?array $ids = null): array
    {
        return $this->call('POST', self::userPath($userId) . '/inbox/read', Event::json((object) ($ids === null ? [] : ['ids' => $ids])));
    }

    /**
     * Removes everything about a user; `user.erased` follows on the webhook. Requires a token.
     *
     * @return array{user_id: string, event_id: string}
     */
    public function eraseUser(string|int $userId): array
    {
        return $this->call('DELETE', self::userPath($userId), '');
    }

    /** Removes a media and everything that was made from it; `media.deleted` follows on the webhook. */
    public function deleteMedia(string $mediaId): void
    {
        $this->publish(Event::of('media.delete_requested', ['media_id' => $mediaId]));
    }

    /** @return array<string, mixed> categories, quiet_hours, locale */
    public function preferences(string|int $userId): array
    {
        return $this->call('GET', self::userPath($userId) . '/preferences', '');
    }

    /**
     * Replaces all preferences of the user.
     *
     * @param array<string, mixed> $preferences
     * @return array<string, mixed>
     */
    public function setPreferences(string|int $userId, array $preferences): array
    {
        $body = ['categories' => (object) ($preferences['categories'] ?? [])] + $preferences;
        return $this->call('PUT', self::userPath($userId) . '/preferences', Event::json($body));
    }

    /**
     * Adds users to an audience, and removes others; at most 1,000 of each.
     *
     * @param list<string|int> $add
     * @param list<string|int> $remove
     * @return array{added: int, removed: int}
     */
    public function changeAudience(string $name, array $add, array $remove = []): array
    {
        return $this->call('POST', '/v1/audiences/' . rawurlencode($name) . '/members', Event::json(['add' => $add, 'remove' => $remove]));
    }

    /**
     * The state of a notification and of each of its deliveries.
     *
     * @param string $id the id of the event that requested it
     * @return array<string, mixed>
     */
    public function notification(string $id): array
    {
        return $this->call('GET', '/v1/notifications/' . rawurlencode($id), '');
    }

    /**
     * Workflow runs, newest first: what became of requests with a `workflow`.
     *
     * @param array<string, string|int> $filter workflow, user_id, status (`running`, `done`, `failed`, `digested`, `cancelled`), limit, after
     * @return array{runs: list<array<string, mixed>>, next?: string}
     */
    public function workflowRuns(array $filter = []): array
    {
        return $this->call('GET', '/v1/workflow-runs' . ($filter === [] ? '' : '?' . http_build_query($filter)), '');
    }

    /**
     * A workflow run with its steps.
     *
     * @param string $id the id of the event that began it
     * @return array<string, mixed>
     */
    public function workflowRun(string $id): array
    {
        return $this->call('GET', '/v1/workflow-runs/' . rawurlencode($id), '');
    }

    /** Continues a failed run at the step that failed. */
    public function retryWorkflowRun(string $id): void
    {
        $this->call('POST', '/v1/workflow-runs/' . rawurlencode($id) . '/retry', '');
    }

    /** Ends what the run has not sent yet. */
    public function cancelWorkflowRun(string $id): void
    {
        $this->call('POST', '/v1/workflow-runs/' . rawurlencode($id) . '/cancel', '');
    }

    private static function userPath(string|int $userId): string
    {
        return '/v1/users/' . rawurlencode((string) $userId);
    }

    /**
     * Adds a member to a room, or changes the role, which replaces the roles of the token in this room (`moderator`; `guest`
     * reads only).
     *
     * @return array{room_id: string, user_id: string, role?: string, since: string}
     */
    public function putMember(string $roomId, string $userId, ?string $role = null): array
    {
        return $this->call('PUT', self::memberPath($roomId, $userId), Event::json(['role' => $role]));
    }

    /**
     * Removes a member. Open sockets of the user lose the room at once.
     *
     * @return array{removed: bool, ended: int, unresponsive: list<string>}
     */
    public function removeMember(string $roomId, string $userId): array
    {
        return $this->call('DELETE', self::memberPath($roomId, $userId), '');
    }

    private static function memberPath(string $roomId, string $userId): string
    {
        return '/v1/rooms/' . rawurlencode($roomId) . '/members/' . rawurlencode($userId);
    }

    /** @param array<string, mixed> $grant the result of `upload` */
    public function put(array $grant, string $file): void
    {
        $headers = array_map(fn ($name, $value) => "$name: $value", array_keys($grant['headers']), $grant['headers']);
        $this->send($grant['method'], $grant['upload_url'], (string) file_get_contents($file), $headers);
    }

    /**
     * @param list<string> $headers
     * @return array<string, mixed>
     */
    private function call(string $method, string $path, string $body, array $headers = []): array
    {
        $headers[] = 'Content-Type: application/json';
        if ($this->token !== null) {
            $headers[] = "Authorization: Bearer {$this->token}";
        }
        for ($attempt = 1; ; $attempt++) {
            try {
                $response = $this->send($method, rtrim($this->url, '/') . $path, $body, $headers);
                // 204 has no body.
                return $response === '' ? [] : json_decode($response, true, 64, JSON_THROW_ON_ERROR);
            } catch (JsonException $error) {
                throw new Unavailable("the answer of {$this->url} is no JSON; is this the address of Armoricore? " . $error->getMessage());
            } catch (Unavailable $error) {
                if ($attempt >= $this->maxAttempts) {
                    throw $error;
                }
                $this->logger?->warning('Armoricore is unavailable; trying again', ['attempt' => $attempt, 'exception' => $error]);
                usleep((int) (max(0.2 * 2 ** $attempt, $error->retryAfter) * 1e6));
            }
        }
    }

    /** @param list<string> $headers */
    private function send(string $method, string $url, string $body, array $headers): string
    {
        $context = stream_context_create(['http' => [
            'method' => $method,
            'header' => $headers,
            'content' => $body,
            'timeout' => $this->timeout,
            'ignore_errors' => true,
            'follow_location' => 0,
        ]]);
        // PHP leaves the variable of an earlier request in place when a connection fails.
        $http_response_header = [];
        $response = @file_get_contents($url, false, $context);
        $status = (int) (explode(' ', $http_response_header[0] ?? '')[1] ?? 0);
        if ($response === false || $status === 0) {
            throw new Unavailable("no answer from $url: " . (error_get_last()['message'] ?? 'the connection failed'));
        }
        if ($status === 429 || $status >= 500) {
            $retryAfter = preg_grep('/\Aretry-after: *\d+\z/i', $http_response_header) ?: [];
            throw new Unavailable("Armoricore answered $status", $retryAfter === [] ? 0 : (float) trim(explode(':', reset($retryAfter))[1]));
        }
        if ($status >= 300) {
            throw $this->rejected($status, $response);
        }
        return $response;
    }

    /** The body is application/problem+json: `detail` explains the problem, `path` names the field. */
    private function rejected(int $status, string $response): Rejected
    {
        $problem = json_decode($response, true);
        $detail = is_array($problem) ? ($problem['detail'] ?? $problem['title'] ?? null) : null;
        $path = is_array($problem) ? ($problem['path'] ?? null) : null;
        $detail = is_string($detail) ? $detail : $response;
        $place = is_string($path) && !str_contains($detail, $path) ? "$path: " : '';
        return new Rejected(
            "Armoricore rejected the request ($status): $place$detail",
            $status,
            is_string($path) ? $path : null,
        );
    }
}
