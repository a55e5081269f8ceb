"""The example of LiteLLM's page on /invoke as it is printed there, but for the address and the key: the first two arguments."""

import sys

import boto3
import json
import os

# Set dummy AWS credentials (required by boto3, but not used by LiteLLM proxy)
os.environ['AWS_ACCESS_KEY_ID']='dummy'
os.environ['AWS_SECRET_ACCESS_KEY']='dummy'
os.environ['AWS_BEARER_TOKEN_BEDROCK']=sys.argv[2]# your litellm proxy api key

# Point boto3 to the LiteLLM proxy
bedrock_runtime = boto3.client(
    service_name='bedrock-runtime',
    region_name='us-west-2',
    endpoint_url=sys.argv[1] + '/bedrock'
)

response = bedrock_runtime.invoke_model(
    modelId='my-bedrock-model',# Your model_name from config.yaml
    contentType='application/json',
    accept='application/json',
    body=json.dumps({
"max_tokens":100,
"messages":[{"role":"user","content":"Hello"}],
"anthropic_version":"bedrock-2023-05-31"
})
)

response_body = json.loads(response['body'].read())
print(response_body['content'][0]['text'])
