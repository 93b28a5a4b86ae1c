<?php

$plan = require dirname(__DIR__) . '/plan.php';

const NAME_ID = 'urn:oasis:names:tc:SAML:1.1:nameid-format:';
const NAME_ID_2 = 'urn:oasis:names:tc:SAML:2.0:nameid-format:';

// Whatever format a request asks for can be given.
$authproc = [
    1 => ['class' => 'saml:AttributeNameID', 'attribute' => 'mail', 'Format' => NAME_ID . 'emailAddress'],
    2 => ['class' => 'saml:AttributeNameID', 'attribute' => 'uid', 'Format' => NAME_ID . 'unspecified'],
    3 => ['class' => 'saml:PersistentNameID', 'attribute' => 'uid'],
    4 => ['class' => 'saml:TransientNameID'],
];
if ($plan['attribute_maps_used']) {
    $authproc[50] = ['class' => 'core:AttributeMap'] + $plan['attribute_maps_used'];
}

$metadata[$plan['entity_id']] = $plan['settings'] + [
    'host' => '__DEFAULT__',
    'auth' => 'people',
    'privatekey' => 'signing.key',
    'certificate' => 'signing.crt',
    'authproc' => $authproc,
];
