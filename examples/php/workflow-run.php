<?php

// TOKEN=$(php token.php php-backend publisher) php workflow-run.php EVENT_ID   prints the state of each step

declare(strict_types=1);

require __DIR__ . '/../../clients/php/autoload.php';

$api = new Armoricore\Api(getenv('ARMORICORE_URL') ?: 'http://127.0.0.1:4000', getenv('TOKEN') ?: null);
$run = $api->workflowRun($argv[1]);
echo $run['workflow'], ' ', $run['status'], "\n";
foreach ($run['steps'] as $step) {
    echo $step['state'], ' ', $step['text'], "\n";
}
