<?php

declare(strict_types=1);

namespace Armoricore;

use JsonException;
use Psr\Log\LoggerInterface;

/**
 * Publishes to NATS JetStream over a plain socket and waits for the acknowledgement. Use one connection per request: under
 * FPM a persistent connection is often stale. If an acknowledgement is lost, the event is published again with the same
 * id, and the stream stores it once.
 */
final class NatsPublisher implements Publisher
{
    /** @var resource|null */
    private $socket = null;
    private string $inbox = '';
    private int $maxPayload = 1_048_576;

    /** $keyId and $secret: a key of EVENT_SIGNING_KEYS; then each event is signed. */
    public function __construct(
        private readonly NatsOptions $options,
        private readonly ?string $keyId = null,
        private readonly ?string $secret = null,
        private readonly int $maxAttempts = 4,
        private readonly ?LoggerInterface $logger = null,
    ) {
    }

    public function publish(Event $event): bool
    {
        for ($attempt = 1; ; $attempt++) {
            try {
                return $this->publishOnce($event);
            } catch (Unavailable $error) {
                $this->close();
                if ($attempt >= $this->maxAttempts) {
                    throw $error;
                }
                $this->logger?->warning('NATS is unavailable; publishing again', ['attempt' => $attempt, 'exception' => $error]);
                usleep(100_000 * 2 ** $attempt + random_int(0, 100_000));
            } catch (Rejected $error) {
                $this->close();
                throw $error;
            }
        }
    }

    private function publishOnce(Event $event): bool
    {
        $this->connect();
        $headers = "NATS/1.0\r\nNats-Msg-Id: {$event->id}\r\n";
        if ($this->keyId !== null && $this->secret !== null) {
            $headers .= 'Armoricore-Signature: ' . $event->signature($this->keyId, $this->secret) . "\r\n";
        }
        $headers .= "\r\n";
        $total = strlen($headers) + strlen($event->body);
        if ($total > $this->maxPayload) {
            throw new Rejected("the event has $total bytes with its headers, and this NATS accepts at most {$this->maxPayload} (max_payload)", 413);
        }
        $reply = $this->inbox . '.' . bin2hex(random_bytes(6));
        $this->write("HPUB armoricore.{$event->type} $reply " . strlen($headers) . " $total\r\n$headers{$event->body}\r\n");
        while (true) {
            $line = $this->line();
            // JetStream sends two spaces in place of the optional reply subject.
            if (preg_match('/\AMSG +(\S+) +\S+ +(\d+)\z/', $line, $message) === 1) {
                $body = $this->read((int) $message[2] + 2);
                if ($message[1] === $reply) {
                    return $this->acknowledged(rtrim($body));
                }
            } elseif (preg_match('/\AHMSG +(\S+) +\S+ +\d+ +(\d+)\z/', $line, $message) === 1) {
                $status = $this->read((int) $message[2] + 2);
                if ($message[1] === $reply) {
                    // 503: no stream has this subject.
                    throw new Unavailable('NATS has no stream for this event: run `armoricore setup` (' . strtok($status, "\r\n") . ')');
                }
            } else {
                $this->control($line);
            }
        }
    }

    private function acknowledged(string $body): bool
    {
        $ack = self::json($body);
        if (isset($ack['error'])) {
            throw new Unavailable("NATS did not store the event: {$ack['error']['description']}");
        }
        return ($ack['duplicate'] ?? false) === true;
    }

    private function connect(): void
    {
        if ($this->socket !== null) {
            return;
        }
        $failures = [];
        foreach ($this->options->servers as $server) {
            try {
                $this->connectTo($server);
                return;
            } catch (Unavailable $error) {
                $this->close();
                $failures[] = "{$server['host']}:{$server['port']}: {$error->getMessage()}";
            }
        }
        throw new Unavailable('cannot connect to NATS: ' . implode('; ', $failures));
    }

    /** @param array{host: string, port: int, tls: bool, user: ?string, password: ?string, token: ?string} $server */
    private function connectTo(array $server): void
    {
        $timeout = $this->options->timeout;
        $context = stream_context_create(['ssl' => array_filter(['peer_name' => $server['host'], 'cafile' => $this->options->caFile])]);
        $socket = @stream_socket_client("tcp://{$server['host']}:{$server['port']}", $code, $message, $timeout, STREAM_CLIENT_CONNECT, $context);
        if ($socket === false) {
            throw new Unavailable($message);
        }
        $this->socket = $socket;
        stream_set_timeout($socket, (int) $timeout, (int) (fmod($timeout, 1) * 1e6));
        $info = self::json(substr($this->line(), strlen('INFO ')));
        if ($server['tls'] || ($info['tls_required'] ?? false) === true) {
            if (@stream_socket_enable_crypto($socket, true, STREAM_CRYPTO_METHOD_TLS_CLIENT) !== true) {
                throw new Unavailable('the TLS handshake failed: ' . (error_get_last()['message'] ?? 'no reason was given') . '; check the CA file');
            }
        }
        $this->maxPayload = (int) ($info['max_payload'] ?? $this->maxPayload);
        $this->inbox = '_INBOX.' . bin2hex(random_bytes(11));
        $options = ['verbose' => false, 'pedantic' => false, 'headers' => true, 'no_responders' => true, 'lang' => 'php', 'version' => '1'];
        $options += $this->credentials($server, (string) ($info['nonce'] ?? ''));
        $this->write('CONNECT ' . json_encode($options, JSON_THROW_ON_ERROR) . "\r\nSUB {$this->inbox}.* 1\r\nPING\r\n");
        while (($line = $this->line()) !== 'PONG') {
            $this->control($line);
        }
    }

    /**
     * @param array{user: ?string, password: ?string, token: ?string} $server
     * @return array<string, string>
     */
    private function credentials(array $server, string $nonce): array
    {
        if ($this->options->credentialsFile !== null) {
            $text = @file_get_contents($this->options->credentialsFile);
            if ($text === false || preg_match_all('/-----BEGIN [^-]+-----\s*(\S+)\s*-+END/', $text, $parts) !== 2) {
                throw new Rejected("the credentials file {$this->options->credentialsFile} cannot be read, or does not contain a JWT and a seed");
            }
            return ['jwt' => $parts[1][0], 'sig' => Nkey::fromSeed($parts[1][1])->sign($nonce)];
        }
        if ($this->options->nkeySeed !== null) {
            $key = Nkey::fromSeed($this->options->nkeySeed);
            return ['nkey' => $key->publicKey(), 'sig' => $key->sign($nonce)];
        }
        return array_filter(
            ['user' => $server['user'], 'pass' => $server['password'], 'auth_token' => $server['token']],
            static fn (?string $value): bool => $value !== null,
        );
    }

    private function control(string $line): void
    {
        if ($line === 'PING') {
            $this->write("PONG\r\n");
        } elseif (str_starts_with($line, '-ERR')) {
            throw preg_match('/authorization|permissions|payload/i', $line) === 1
                ? new Rejected("NATS rejected the connection or the event: $line")
                : new Unavailable("NATS: $line");
        }
    }

    private function line(): string
    {
        $line = fgets($this->socket());
        if ($line === false || !str_ends_with($line, "\n")) {
            throw new Unavailable('NATS did not answer in time');
        }
        return rtrim($line, "\r\n");
    }

    private function read(int $length): string
    {
        $data = '';
        while (strlen($data) < $length) {
            $part = fread($this->socket(), $length - strlen($data));
            if ($part === false || $part === '') {
                throw new Unavailable('NATS did not answer in time');
            }
            $data .= $part;
        }
        return $data;
    }

    private function write(string $data): void
    {
        while ($data !== '') {
            $written = @fwrite($this->socket(), $data);
            if ($written === false || $written === 0) {
                throw new Unavailable('lost the connection to NATS');
            }
            $data = substr($data, $written);
        }
    }

    /** @return array<string, mixed> */
    private static function json(string $text): array
    {
        try {
            $value = json_decode($text, true, 16, JSON_THROW_ON_ERROR);
        } catch (JsonException $error) {
            throw new Unavailable('this server does not answer as NATS does: ' . $error->getMessage());
        }
        return is_array($value) ? $value : [];
    }

    /** @return resource */
    private function socket()
    {
        return $this->socket ?? throw new Unavailable('not connected');
    }

    public function close(): void
    {
        if ($this->socket !== null) {
            fclose($this->socket);
            $this->socket = null;
        }
    }
}
