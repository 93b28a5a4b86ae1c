<?php

$plan = require __DIR__ . '/plan.php';

$config = ['people' => ['exampleauth:UserPass']];
foreach ($plan['people'] as $person) {
    $config['people'][$person['user'] . ':' . $person['password']] = $person['attributes'];
}
