"""What the Python API of TensorRT 10.16 and 11.4 consists of, for the double of it: names only, as
the bindings of 10.16.1.11 and 11.4.0.106 and NVIDIA's API pages list them."""

# Members that both versions have; INetworkDefinition without its add_ functions.
COMMON: dict[str, str] = {
    "Builder": (
        "build_engine_with_config build_serialized_network build_serialized_network_to_stream "
        "create_builder_config create_network create_optimization_profile error_recorder "
        "get_plugin_registry gpu_allocator is_network_supported logger max_DLA_batch_size "
        "max_threads num_DLA_cores reset"
    ),
    "IBuilderConfig": (
        "DLA_core add_optimization_profile avg_timing_iterations builder_optimization_level "
        "can_run_on_DLA clear_flag create_timing_cache default_device_type engine_capability "
        "flags get_device_type get_flag get_memory_pool_limit get_preview_feature "
        "get_tactic_sources get_timing_cache hardware_compatibility_level is_device_type_set "
        "l2_limit_for_tiling max_aux_streams max_num_tactics num_optimization_profiles "
        "plugins_to_serialize profile_stream profiling_verbosity progress_monitor "
        "remote_auto_tuning_config reset reset_device_type runtime_platform set_device_type "
        "set_flag set_memory_pool_limit set_preview_feature set_tactic_sources "
        "set_timing_cache tiling_optimization_level"
    ),
    "INetworkDefinition": (
        "are_weights_marked_refittable builder error_recorder flags get_flag get_input "
        "get_layer get_output has_implicit_batch_dimension is_debug_tensor mark_debug "
        "mark_output mark_output_for_shapes mark_unfused_tensors_as_debug_tensors "
        "mark_weights_refittable name num_inputs num_layers num_outputs remove_tensor "
        "set_weights_name unmark_debug unmark_output unmark_output_for_shapes "
        "unmark_unfused_tensors_as_debug_tensors unmark_weights_refittable"
    ),
    "OnnxParser": (
        "clear_errors clear_flag flags get_error get_flag get_layer_output_tensor "
        "get_subgraph_nodes get_used_vc_plugin_libraries is_subgraph_supported "
        "load_initializer load_model_proto num_errors num_subgraphs parse parse_from_file "
        "parse_model_proto set_builder_config set_flag supports_model_v2 supports_operator"
    ),
    "ParserError": (
        "code desc file func line local_function_stack local_function_stack_size node "
        "node_name node_operator"
    ),
    "IOptimizationProfile": (
        "extra_memory_target get_shape get_shape_input set_shape set_shape_input"
    ),
    "ITimingCache": "combine query queryKeys reset serialize update",
    "Runtime": (
        "DLA_core deserialize_cuda_engine engine_host_code_allowed error_recorder "
        "get_plugin_registry gpu_allocator load_runtime logger max_threads num_DLA_cores "
        "tempfile_control_flags temporary_directory"
    ),
    "ICudaEngine": (
        "create_engine_inspector create_execution_context create_runtime_config "
        "create_serialization_config device_memory_size_v2 engine_capability error_recorder "
        "get_aliased_input_tensor get_device_memory_size_for_profile_v2 get_engine_stat "
        "get_tensor_bytes_per_component get_tensor_components_per_element get_tensor_dtype "
        "get_tensor_format get_tensor_format_desc get_tensor_location get_tensor_mode "
        "get_tensor_name get_tensor_profile_shape get_tensor_profile_values get_tensor_shape "
        "get_tensor_vectorized_dim get_weight_streaming_automatic_budget "
        "hardware_compatibility_level is_debug_tensor is_shape_inference_io name "
        "num_aux_streams num_io_tensors num_layers num_optimization_profiles "
        "profiling_verbosity refittable serialize serialize_with_config "
        "streamable_weights_size tactic_sources weight_streaming_budget_v2 "
        "weight_streaming_scratch_memory_size"
    ),
    "IExecutionContext": (
        "active_optimization_profile all_binding_shapes_specified debug_sync device_memory "
        "engine enqueue_emits_profile error_recorder execute_async_v3 execute_v2 "
        "get_debug_listener get_debug_state get_input_consumed_event get_max_output_size "
        "get_output_allocator get_runtime_config get_tensor_address get_tensor_shape "
        "get_tensor_strides infer_shapes name nvtx_verbosity persistent_cache_limit profiler "
        "report_to_profiler set_all_tensors_debug_state set_aux_streams set_communicator "
        "set_debug_listener set_device_memory set_input_consumed_event set_input_shape "
        "set_optimization_profile_async set_output_allocator set_tensor_address "
        "set_tensor_debug_state temporary_allocator unfused_tensors_debug_state "
        "update_device_memory_size_for_shapes"
    ),
    "IHostMemory": "dtype nbytes",
    "ILogger": "ERROR INFO INTERNAL_ERROR Severity VERBOSE WARNING log",
    "ITensor": (
        "allowed_formats broadcast_across_batch dtype get_dimension_name is_execution_tensor "
        "is_network_input is_network_output is_shape_tensor location name set_dimension_name "
        "shape"
    ),
}
# Removed in 11.
ONLY_IN_10: dict[str, str] = {
    "Builder": "platform_has_fast_fp16 platform_has_fast_int8 platform_has_tf32",
    "IBuilderConfig": (
        "algorithm_selector clear_quantization_flag get_calibration_profile "
        "get_quantization_flag int8_calibrator quantization_flags set_calibration_profile "
        "set_quantization_flag"
    ),
    "OnnxParser": "parse_with_weight_descriptors supports_model",
    "ICudaEngine": (
        "create_execution_context_without_device_memory device_memory_size "
        "get_device_memory_size_for_profile has_implicit_batch_dimension "
        "minimum_weight_streaming_budget weight_streaming_budget"
    ),
    "IExecutionContext": "all_shape_inputs_specified",
    "ITensor": "dynamic_range reset_dynamic_range set_dynamic_range",
}
# Added in 11.
ONLY_IN_11: dict[str, str] = {
    "IBuilderConfig": "all_build_routes build_route",
    "IOptimizationProfile": "profile_stream",
    "Runtime": "dla_workspace_allocation_strategy",
}

# Members and their values in each major version.
ENUMS: dict[str, dict[int, dict[str, int]]] = {
    "BuilderFlag": {
        10: {
            "FP16": 0,
            "BF16": 17,
            "INT8": 1,
            "DEBUG": 2,
            "GPU_FALLBACK": 3,
            "REFIT": 4,
            "DISABLE_TIMING_CACHE": 5,
            "EDITABLE_TIMING_CACHE": 27,
            "TF32": 6,
            "SPARSE_WEIGHTS": 7,
            "SAFETY_SCOPE": 8,
            "OBEY_PRECISION_CONSTRAINTS": 9,
            "PREFER_PRECISION_CONSTRAINTS": 10,
            "DIRECT_IO": 11,
            "REJECT_EMPTY_ALGORITHMS": 12,
            "VERSION_COMPATIBLE": 13,
            "EXCLUDE_LEAN_RUNTIME": 14,
            "FP8": 15,
            "ERROR_ON_TIMING_CACHE_MISS": 16,
            "DISABLE_COMPILATION_CACHE": 18,
            "WEIGHTLESS": 19,
            "STRIP_PLAN": 19,
            "REFIT_IDENTICAL": 20,
            "WEIGHT_STREAMING": 21,
            "INT4": 22,
            "REFIT_INDIVIDUAL": 23,
            "STRICT_NANS": 24,
            "MONITOR_MEMORY": 25,
            "FP4": 26,
            "DISTRIBUTIVE_INDEPENDENCE": 28,
        },
        11: {
            "DEBUG": 2,
            "GPU_FALLBACK": 3,
            "REFIT": 4,
            "DISABLE_TIMING_CACHE": 5,
            "EDITABLE_TIMING_CACHE": 26,
            "TF32": 6,
            "SPARSE_WEIGHTS": 7,
            "SAFETY_SCOPE": 8,
            "DIRECT_IO": 11,
            "VERSION_COMPATIBLE": 12,
            "EXCLUDE_LEAN_RUNTIME": 13,
            "ERROR_ON_TIMING_CACHE_MISS": 15,
            "DISABLE_COMPILATION_CACHE": 17,
            "STRIP_PLAN": 18,
            "REFIT_IDENTICAL": 19,
            "WEIGHT_STREAMING": 20,
            "REFIT_INDIVIDUAL": 22,
            "STRICT_NANS": 23,
            "MONITOR_MEMORY": 24,
            "DISTRIBUTIVE_INDEPENDENCE": 27,
        },
    },
    "NetworkDefinitionCreationFlag": {
        10: {
            "EXPLICIT_BATCH": 0,
            "STRONGLY_TYPED": 1,
            "PREFER_AOT_PYTHON_PLUGINS": 3,
            "PREFER_JIT_PYTHON_PLUGINS": 2,
        },
        11: {"STRONGLY_TYPED": 0, "PREFER_AOT_PYTHON_PLUGINS": 2, "PREFER_JIT_PYTHON_PLUGINS": 1},
    },
    "HardwareCompatibilityLevel": {
        10: {"NONE": 0, "AMPERE_PLUS": 1, "SAME_COMPUTE_CAPABILITY": 2},
        11: {"NONE": 0, "AMPERE_PLUS": 1, "SAME_COMPUTE_CAPABILITY": 2},
    },
    "MemoryPoolType": {
        10: {
            "WORKSPACE": 0,
            "DLA_MANAGED_SRAM": 1,
            "DLA_LOCAL_DRAM": 2,
            "DLA_GLOBAL_DRAM": 3,
            "TACTIC_DRAM": 4,
            "TACTIC_SHARED_MEMORY": 5,
        },
        11: {
            "WORKSPACE": 0,
            "DLA_MANAGED_SRAM": 1,
            "DLA_LOCAL_DRAM": 2,
            "DLA_GLOBAL_DRAM": 3,
            "TACTIC_DRAM": 4,
            "TACTIC_SHARED_MEMORY": 5,
        },
    },
    "TensorIOMode": {
        10: {"NONE": 0, "INPUT": 1, "OUTPUT": 2},
        11: {"NONE": 0, "INPUT": 1, "OUTPUT": 2},
    },
    "DataType": {
        10: {
            "FLOAT": 0,
            "HALF": 1,
            "BF16": 7,
            "INT8": 2,
            "INT32": 3,
            "INT64": 8,
            "BOOL": 4,
            "UINT8": 5,
            "FP8": 6,
            "INT4": 9,
            "FP4": 10,
            "E8M0": 11,
        },
        11: {
            "FLOAT": 0,
            "HALF": 1,
            "BF16": 7,
            "INT8": 2,
            "INT32": 3,
            "INT64": 8,
            "BOOL": 4,
            "UINT8": 5,
            "FP8": 6,
            "INT4": 9,
            "FP4": 10,
            "E8M0": 11,
        },
    },
    "ExecutionContextAllocationStrategy": {
        10: {"STATIC": 0, "ON_PROFILE_CHANGE": 1, "USER_MANAGED": 2},
        11: {"STATIC": 0, "ON_PROFILE_CHANGE": 1, "USER_MANAGED": 2},
    },
}
