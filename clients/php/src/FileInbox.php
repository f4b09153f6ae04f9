<?php

declare(strict_types=1);

namespace Armoricore;

use RuntimeException;

/** Stores each event of a webhook in a file that is named after its id. A second event with the id replaces the first. */
final class FileInbox
{
    public function __construct(private readonly string $folder)
    {
    }

    /**
     * Returns when the file is on the disk: written under another name, synchronised, then renamed.
     *
     * @param array<string, mixed> $event
     */
    public function store(array $event, string $body): void
    {
        // The id comes from outside, and a file name must not lead out of the folder.
        if (preg_match('/\A[0-9a-fA-F-]{36}\z/', (string) $event['event_id']) !== 1) {
            throw new RuntimeException('the id of the event is no UUID');
        }
        $path = "{$this->folder}/{$event['event_id']}.json";
        $temporary = $path . '.' . bin2hex(random_bytes(4)) . '.tmp';
        $file = @fopen($temporary, 'xb');
        if ($file === false) {
            throw new RuntimeException("cannot write to {$this->folder}: " . (error_get_last()['message'] ?? ''));
        }
        $isWritten = fwrite($file, $body) === strlen($body) && fflush($file) && fsync($file);
        if (!fclose($file) || !$isWritten || !rename($temporary, $path)) {
            @unlink($temporary);
            throw new RuntimeException("cannot write $path; is the disk full?");
        }
    }
}
