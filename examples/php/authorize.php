<?php

// AUTHORIZE_SECRET=… php -S 127.0.0.1:8081 authorize.php   decides who may join chat rooms and send in them

declare(strict_types=1);

require __DIR__ . '/../../clients/php/autoload.php';

use Armoricore\Authorization;

// Your database has these.
$members = ['team' => ['ida' => 'moderator', 'ada' => 'member', 'gus' => 'guest']];

$decide = static function (array $question) use ($members): array {
    if (preg_match('/\A(?:chat|presence):room:(.+)\z/', $question['topic'], $parts) !== 1) {
        return ['allow' => false, 'reason' => 'this application has no such topic', 'ttl' => 60];
    }
    $role = $members[$parts[1]][$question['user_id']] ?? null;
    if ($role === null) {
        return ['allow' => false, 'reason' => 'ask a moderator of this room for an invitation', 'ttl' => 5];
    }
    return ['allow' => true, 'role' => $role, 'ttl' => 60];
};

[$status, $answer] = Authorization::handle($_SERVER, (string) file_get_contents('php://input'), (string) getenv('AUTHORIZE_SECRET'), $decide);
http_response_code($status);
header('Content-Type: application/json');
echo $answer;
